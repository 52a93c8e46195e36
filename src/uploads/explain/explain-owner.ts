import { Refusal } from '../../base/errors.ts';
import { ownerNamesFor } from '../../base/owners.ts';
import type { Removal, Upload } from '../../base/upload-records.ts';
import {
  KEEP_REFUSALS_MS,
  type Limits,
  type LimitUsage,
  type RefusalRecord,
  type Usage,
  unlimited,
} from '../../ledger/contract/ledger.ts';
import { type AccessDecision, type AccessRule, uploadLimitsFor } from '../../policy/access.ts';
import { choosePurpose, type Retention, toLifetimes } from '../../policy/retention.ts';
import { readUsage } from '../list.ts';
import type { UploadServices } from '../services.ts';

/** Everything that decides whether a user can upload now. */
export interface OwnerExplanation {
  readonly about: 'owner';
  readonly owner: string;
  readonly decision: AccessDecision;
  readonly usage: Usage;
  /** Why every upload of this user is refused now; null if uploads are possible. */
  readonly refusedNow: RefusedNow | null;
  readonly limits: readonly OwnerLimit[];
  /** Refusals of the last day, the latest first. */
  readonly refusals: readonly RefusalRecord[];
  /** Slots of the last day without a file, the latest first. At most `MAX_SLOTS`. */
  readonly unusedSlots: readonly UnusedSlot[];
}

export type RefusedNow =
  | { readonly reason: 'denied' }
  /** `porter move` is running or has moved the files. */
  | { readonly reason: 'moving' }
  | { readonly reason: 'storage_full'; readonly text: string }
  | { readonly reason: 'limit'; readonly limit: OwnerLimit };

/** A limit and its use. */
export interface OwnerLimit extends LimitUsage {
  /** Milliseconds; null for a limit without a period. */
  readonly period: number | null;
  /** The purpose that the limit is for; null for limits of all purposes. */
  readonly purpose: string | null;
}

export interface UnusedSlot {
  readonly id: string;
  readonly name: string;
  /** Bytes. */
  readonly size: number;
  readonly grantedAt: number;
  /** True while a PUT may still come. */
  readonly isOpen: boolean;
  readonly hadPut: boolean;
}

export type { RefusalRecord };

type ExplainServices = Pick<UploadServices, 'ledger' | 'rules' | 'clock' | 'spaceReserve'>;

const MAX_SLOTS = 10;

/** Returns the access decision, the limits and the latest failures of an owner. */
export async function explainOwner(services: ExplainServices, owner: string): Promise<OwnerExplanation> {
  const decision = services.rules().access.decide(owner);
  const [usage, limits, refusals, unusedSlots] = await Promise.all([
    readUsage(services, owner),
    decision.allowed ? readLimits(services, owner, decision.rule) : [],
    readRefusals(services, owner),
    readUnusedSlots(services, owner),
  ]);
  const refusedNow = await findRefusedNow(services, decision, limits);
  return { about: 'owner', owner, decision, usage, refusedNow, limits, refusals, unusedSlots };
}

/** Returns the refusals of the last day, also those under the hash of the JID. */
export async function readRefusals(
  { ledger, clock }: Pick<UploadServices, 'ledger' | 'clock'>,
  owner: string,
): Promise<RefusalRecord[]> {
  const since = clock() - KEEP_REFUSALS_MS;
  const lists = await Promise.all(
    ownerNamesFor(owner).map((name) => ledger.listRefusals({ owner: name, since })),
  );
  return lists.flat().toSorted((a, b) => b.lastAt - a.lastAt);
}

async function readLimits(services: ExplainServices, owner: string, rule: AccessRule): Promise<OwnerLimit[]> {
  const { retention, globalQuota } = services.rules();
  const usual = choosePurpose(retention, '', undefined);
  const found: OwnerLimit[] = [];
  for (const purpose of [usual, ...otherLimitedPurposes(retention, usual)]) {
    const { quotas } = uploadLimitsFor(rule, retention, purpose, globalQuota);
    const limits = purpose === usual ? quotas : { ...unlimited, purposeBytes: quotas.purposeBytes };
    found.push(...(await measure(services, owner, rule, purpose, limits)));
  }
  return found;
}

function otherLimitedPurposes({ purposes }: Retention, usual: string): string[] {
  return Object.keys(purposes).filter(
    (one) => one !== usual && (purposes[one]?.max_total_size ?? null) !== null,
  );
}

async function measure(
  services: ExplainServices,
  owner: string,
  rule: AccessRule,
  purpose: string,
  limits: Limits,
): Promise<OwnerLimit[]> {
  const { ledger, rules, clock } = services;
  const usages = await ledger.limitUsage({
    owner: await nameInLedger(services, owner),
    purpose,
    limits,
    lifetimes: toLifetimes(rules().retention),
    evict: rule.when_full === 'evict',
    now: clock(),
  });
  return usages.map((usage) => ({
    ...usage,
    period:
      usage.limit === 'bytesPer' || usage.limit === 'uploadsPer'
        ? (limits[usage.limit]?.period ?? null)
        : null,
    purpose: usage.limit === 'purposeBytes' ? purpose : null,
  }));
}

/** Returns the name under which the ledger has uploads of the owner: its JID, or the hash of its JID. */
async function nameInLedger({ ledger }: ExplainServices, owner: string): Promise<string> {
  for (const name of ownerNamesFor(owner)) {
    const { uploads, pendingUploads } = await ledger.usage(name);
    if (uploads + pendingUploads > 0) return name;
  }
  return owner;
}

async function findRefusedNow(
  { ledger, rules, clock, spaceReserve }: ExplainServices,
  decision: AccessDecision,
  limits: readonly OwnerLimit[],
): Promise<RefusedNow | null> {
  if (!decision.allowed) return { reason: 'denied' };
  if ((await ledger.migrationState()) !== 'open') return { reason: 'moving' };
  const full = await spaceReserve.check(1).catch((error: unknown) => error);
  if (full instanceof Refusal) return { reason: 'storage_full', text: full.message };
  const usual = choosePurpose(rules().retention, '', undefined);
  const exhausted = limits.filter(
    (limit) => isExhausted(limit, clock()) && (limit.purpose === null || limit.purpose === usual),
  );
  const [longest] = exhausted.toSorted((a, b) => endOf(b) - endOf(a));
  return longest ? { reason: 'limit', limit: longest } : null;
}

const endOf = ({ freesAt }: OwnerLimit) => freesAt ?? Number.POSITIVE_INFINITY;

/** Returns true if not even one more byte or upload fits. Expired files do not count, because a request removes them. */
export function isExhausted({ used, allowed, evictable, freesAt }: OwnerLimit, now: number): boolean {
  return used - evictable >= allowed && (freesAt === null || freesAt > now);
}

async function readUnusedSlots({ ledger, clock }: ExplainServices, owner: string): Promise<UnusedSlot[]> {
  const now = clock();
  const page = { limit: MAX_SLOTS };
  const lists = await Promise.all(
    ownerNamesFor(owner).flatMap((name) => [
      ledger
        .listUploads({ ...page, owner: name, state: 'issued', newestFirst: true })
        .then((slots) => slots.map((slot) => slotOf(slot, now))),
      ledger
        .listRemovals({ ...page, owner: name, reason: 'unused' })
        .then((removals) => removals.map(expiredSlot)),
    ]),
  );
  return lists
    .flat()
    .filter(({ grantedAt }) => grantedAt > now - KEEP_REFUSALS_MS)
    .toSorted((a, b) => b.grantedAt - a.grantedAt)
    .slice(0, MAX_SLOTS);
}

function slotOf({ id, name, size, createdAt, deadline, lastPutAt }: Upload, now: number): UnusedSlot {
  return { id, name, size, grantedAt: createdAt, isOpen: now < deadline, hadPut: lastPutAt !== undefined };
}

/** The detail of the record says whether a PUT came (`removalCauses.unused`). */
function expiredSlot({ id, name, size, createdAt, detail }: Removal): UnusedSlot {
  return { id, name, size, grantedAt: createdAt, isOpen: false, hadPut: detail.startsWith('a PUT came') };
}
