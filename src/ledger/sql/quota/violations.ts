import { countsUploads, type LimitName, type Reservation } from '../../contract/ledger.ts';
import type { Queryable } from '../database.ts';
import { lifetimeFor, storedPurposes } from '../expiry.ts';
import { countStored } from '../owner-uploads.ts';
import {
  lockTotals,
  type OwnerAccount,
  type PurposeBytes,
  readGlobalBytes,
  readPurposeBytes,
} from './accounts.ts';
import { type ForecastScope, forecastRoom } from './forecast.ts';
import { forecastRate, spentInPeriod, type UploadRateLimit } from './upload-rates.ts';

/** The part of a reservation that the quotas need. */
export interface QuotaRequest extends Pick<Reservation, 'limits' | 'evict' | 'lifetimes' | 'now'> {
  readonly upload: Pick<Reservation['upload'], 'size' | 'purpose'>;
}

/** A limit that a reservation would exceed. */
export interface QuotaViolation {
  readonly limit: LimitName;
  readonly used: number;
  readonly allowed: number;
  /** Bytes of the reservation, or 1 for a limit on uploads. */
  readonly requested: number;
  /** Stored bytes that eviction could free under this limit. For `ownerFiles`, the number of files, at most as many as needed. */
  readonly evictable: number;
}

/** Returns by how much the limit would be exceeded without any eviction. */
export const excessAmount = (violation: QuotaViolation) =>
  violation.used + violation.requested - violation.allowed;

/** Returns the limits that a reservation would exceed. It is not charged yet. */
export async function findViolations(
  q: Queryable,
  account: OwnerAccount,
  r: QuotaRequest,
): Promise<QuotaViolation[]> {
  const needsPurposes = r.limits.purposeBytes !== null || exceedsOwnerBytes(account, r);
  const measured = needsPurposes ? measureOwner(await readPurposeBytes(q, account), r) : [];
  if (reachesOwnerFiles(account, r)) measured.push(await measureFiles(q, account, r));
  measured.push(...measureSpent(await readSpent(q, account, r), r));
  return measured.filter((violation) => excessAmount(violation) > 0);
}

const exceedsOwnerBytes = (account: OwnerAccount, { limits, upload }: QuotaRequest) =>
  limits.ownerBytes !== null && account.bytes + account.pendingBytes + upload.size > limits.ownerBytes;

const reachesOwnerFiles = (account: OwnerAccount, { limits }: QuotaRequest) =>
  limits.ownerFiles !== null && account.uploads + account.pendingUploads >= limits.ownerFiles;

function measureOwner(purposes: readonly PurposeBytes[], r: QuotaRequest): QuotaViolation[] {
  const { ownerBytes, purposeBytes } = r.limits;
  const requested = r.upload.size;
  const found: QuotaViolation[] = [];
  if (purposeBytes !== null) {
    const samePurpose = purposes.filter(({ purpose }) => purpose === r.upload.purpose);
    found.push({ limit: 'purposeBytes', allowed: purposeBytes, requested, ...tally(samePurpose, r) });
  }
  if (ownerBytes !== null) {
    found.push({ limit: 'ownerBytes', allowed: ownerBytes, requested, ...tally(purposes, r) });
  }
  return found;
}

/** Counts only as many evictable files as must be evicted. */
async function measureFiles(q: Queryable, account: OwnerAccount, r: QuotaRequest): Promise<QuotaViolation> {
  const allowed = r.limits.ownerFiles ?? 0;
  const used = account.uploads + account.pendingUploads;
  const evictable = await countEvictable(q, account, r, used + 1 - allowed);
  return { limit: 'ownerFiles', used, allowed, requested: 1, evictable };
}

/** Returns the number of the owner's files that eviction could remove, at most `limit`. */
export async function countEvictable(
  q: Queryable,
  account: OwnerAccount,
  r: Pick<Reservation, 'evict' | 'lifetimes'>,
  limit: number,
): Promise<number> {
  if (!r.evict) return 0;
  const purposes = (await readPurposeBytes(q, account)).map(({ purpose }) => purpose);
  return await countStored(q, {
    ownerId: account.id,
    purposes: purposes.filter((purpose) => isEvictable(r, purpose)),
    limit,
  });
}

function tally(purposes: readonly PurposeBytes[], r: QuotaRequest): { used: number; evictable: number } {
  const used = purposes.reduce((sum, { bytes, pendingBytes }) => sum + bytes + pendingBytes, 0);
  const evictablePurposes = purposes.filter(({ purpose }) => isEvictable(r, purpose));
  return { used, evictable: evictablePurposes.reduce((sum, { bytes }) => sum + bytes, 0) };
}

export function isEvictable(r: Pick<Reservation, 'evict' | 'lifetimes'>, purpose: string): boolean {
  return r.evict && lifetimeFor(r.lifetimes, purpose).evictable;
}

/** The amounts that `bytesPer`, `uploadsPer` and `globalBytes` limit. 0 without that limit. */
type Spent = Readonly<Record<'bytesPer' | 'uploadsPer' | 'globalBytes', number>>;

/** Needs one statement, unless the two rates have different periods. */
async function readSpent(q: Queryable, account: OwnerAccount, { limits, now }: QuotaRequest): Promise<Spent> {
  const { bytesPer, uploadsPer } = limits;
  const isGlobal = limits.globalBytes !== null;
  if (isGlobal) await lockTotals(q);
  const period = (bytesPer ?? uploadsPer)?.period;
  if (period === undefined)
    return { bytesPer: 0, uploadsPer: 0, globalBytes: isGlobal ? await readGlobalBytes(q) : 0 };
  const first = await spentInPeriod(q, { ownerId: account.id, period, now, withGlobal: isGlobal });
  const hasOtherPeriod = uploadsPer !== null && uploadsPer.period !== period;
  const second = hasOtherPeriod
    ? await spentInPeriod(q, { ownerId: account.id, period: uploadsPer.period, now })
    : first;
  return { bytesPer: first.bytes, uploadsPer: second.uploads, globalBytes: first.globalBytes ?? 0 };
}

function measureSpent(spent: Spent, r: QuotaRequest): QuotaViolation[] {
  const { bytesPer, uploadsPer, globalBytes } = r.limits;
  const found: QuotaViolation[] = [];
  const measure = (limit: keyof Spent, allowed: number | undefined | null, requested: number) => {
    if (allowed !== undefined && allowed !== null)
      found.push({ limit, used: spent[limit], allowed, requested, evictable: 0 });
  };
  measure('bytesPer', bytesPer?.bytes, r.upload.size);
  measure('uploadsPer', uploadsPer?.uploads, 1);
  measure('globalBytes', globalBytes, r.upload.size);
  return found;
}

/** Returns when the reservation will fit under the limit if nothing else is reserved; null if it will never fit by waiting. */
export async function forecastViolationEnd(
  q: Queryable,
  account: OwnerAccount,
  r: QuotaRequest,
  violation: QuotaViolation,
): Promise<number | null> {
  const { limit, allowed, requested } = violation;
  if (requested > allowed) return null;
  if (limit === 'bytesPer' || limit === 'uploadsPer')
    return await forecastRateEnd(q, account, r, limit, violation);
  const needed = excessAmount(violation) - violation.evictable;
  const unit = countsUploads(limit) ? 'files' : 'bytes';
  const at = await forecastRoom(q, await forecastScope(q, account, r, limit), needed, unit);
  return at === null ? null : Math.max(at, r.now);
}

async function forecastRateEnd(
  q: Queryable,
  account: OwnerAccount,
  r: QuotaRequest,
  limit: UploadRateLimit,
  { allowed, requested }: QuotaViolation,
): Promise<number | null> {
  const period = r.limits[limit]?.period ?? 0;
  return await forecastRate(q, { ownerId: account.id, limit, period, room: allowed - requested, now: r.now });
}

/** Selects the uploads whose expiry makes room. Evictable uploads are left out, because they are already counted as room. */
async function forecastScope(
  q: Queryable,
  account: OwnerAccount,
  r: QuotaRequest,
  limit: Exclude<LimitName, UploadRateLimit>,
): Promise<ForecastScope> {
  const { lifetimes } = r;
  if (limit === 'globalBytes') return { purposes: await storedPurposes(q), lifetimes };
  const isKept = (purpose: string) => !isEvictable(r, purpose);
  const ownerId = account.id;
  if (limit !== 'purposeBytes') {
    const purposes = (await readPurposeBytes(q, account)).map(({ purpose }) => purpose);
    return { ownerId, purposes: purposes.filter(isKept), lifetimes };
  }
  const { purpose } = r.upload;
  return { ownerId, slotPurpose: purpose, purposes: [purpose].filter(isKept), lifetimes };
}
