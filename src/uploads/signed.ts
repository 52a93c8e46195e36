import { Refusal } from '../base/errors.ts';
import { datedId } from '../base/ids.ts';
import { hashedOwner, isShared, NOBODY } from '../base/owners.ts';
import type { Door, Upload } from '../base/records.ts';
import { type Claimed, unlimited } from '../ledger/contract.ts';
import { type AccessRule, openRule } from '../policy/access.ts';
import { limitsFor, type UploadLimits } from '../policy/limits.ts';
import { purposeOf } from '../policy/retention.ts';
import { charge } from './charge.ts';
import type { UploadDeps } from './deps.ts';
import { checkArrival } from './fill.ts';
import { admit } from './grant.ts';
import type { Arrival } from './incoming.ts';
import { blobKey } from './links.ts';

/**
 * Who uploads, as far as the XMPP server tells: a JID; the hex SHA-1 of one, whose access rule and quotas hold
 * if anybody here knows the JID; or nobody in particular.
 */
export type Uploader = { readonly jid: string } | { readonly sha1: string } | 'nobody';

/** An upload that an XMPP server has granted: nothing is known of it here before its PUT. */
export interface SignedUpload {
  readonly locator: string;
  readonly uploader: Uploader;
  readonly name: string;
  /** Bytes. */
  readonly size: number;
  /** What is served. */
  readonly type: string;
  /** What the door itself allows one file, in bytes, and one user whom nobody knows; null = any. */
  readonly maxFileSize: number | null;
  readonly maxTotalSize: number | null;
  /** The PUT must start before it; ms since 1970. */
  readonly deadline: number;
  /** Milliseconds after it was stored for which the same bytes may come again; null = until the deadline. */
  readonly repeatFor: number | null;
  /** When the file should go, ms since 1970; null = as `retention` says. */
  readonly expiresAt: number | null;
}

interface Admitted {
  readonly owner: string;
  readonly rule: AccessRule;
}

/** Reserves and claims a signed upload in one, or says who has its link. */
export async function claimSigned(
  deps: UploadDeps,
  { signed, ...arrival }: Arrival & { readonly signed: SignedUpload },
  token: string,
): Promise<Claimed> {
  checkArrival(deps, signed, arrival);
  const { instance } = deps;
  const now = deps.clock();
  const upload = await describe(deps, signed, arrival.door, now);
  const { rule, limits, ...row } = upload;
  const taken = await charge(deps, {
    upload: row,
    rule,
    limits,
    putKey: null,
    claim: { instance, token },
    now,
  });
  if (!taken)
    return { outcome: 'claimed', upload: { ...row, state: 'receiving', createdAt: now, storedAt: null } };
  if (taken.upload === undefined) throw new Refusal('removed');
  if (taken.upload.state === 'stored') return { outcome: 'stored', upload: taken.upload };
  // Held by another PUT, or by one whose process is no more.
  const claimed = await deps.ledger.claim({ by: { locator: signed.locator }, token, instance, now });
  return claimed.outcome === 'unknown' ? { outcome: 'receiving', upload: taken.upload } : claimed;
}

type Described = Omit<Upload, 'state' | 'createdAt' | 'storedAt'> & {
  readonly rule: AccessRule;
  readonly limits: UploadLimits;
};

async function describe(deps: UploadDeps, signed: SignedUpload, door: Door, now: number): Promise<Described> {
  const { locator, name, size, type, deadline, expiresAt } = signed;
  // The server promised the file a life that is over already.
  if (expiresAt !== null && expiresAt <= now) throw new Refusal('slot_unknown');
  const { owner, rule } = await ownerOf(deps, signed);
  const { retention, globalQuota } = deps.rules();
  const purpose = purposeOf(retention, name, undefined);
  const limits = limitsFor(rule, retention, purpose, globalQuota);
  const id = datedId(now);
  const blob = blobKey(id, name, type);
  return {
    ...{ id, locator, owner, door, purpose, name, type, size, blob, deadline, expiresAt, rule },
    limits: isShared(owner) ? { ...limits, quotas: { ...unlimited, globalBytes: globalQuota } } : limits,
  };
}

async function ownerOf(deps: UploadDeps, signed: SignedUpload): Promise<Admitted> {
  const { uploader, maxFileSize } = signed;
  if (uploader === 'nobody') return { owner: NOBODY, rule: anonymousRule(maxFileSize, null) };
  const jid = 'jid' in uploader ? uploader.jid : await jidOf(deps, uploader.sha1);
  if (jid !== undefined) {
    const { owner, rule } = admit(deps, jid);
    return { owner, rule: { ...rule, max_file_size: smaller(rule.max_file_size, maxFileSize) } };
  }
  const owner = 'sha1' in uploader ? hashedOwner(uploader.sha1) : NOBODY;
  return { owner, rule: anonymousRule(maxFileSize, signed.maxTotalSize) };
}

/** The JID behind a hash, where the config names it or the ledger has met it. */
async function jidOf({ ledger, rules }: UploadDeps, sha1: string): Promise<string | undefined> {
  return rules().jidsBySha1?.get(sha1) ?? (await ledger.ownerBySha1(sha1));
}

function anonymousRule(maxFileSize: number | null, maxTotalSize: number | null): AccessRule {
  return { ...openRule, max_file_size: maxFileSize, max_total_size: maxTotalSize };
}

function smaller(one: number | null, other: number | null): number | null {
  if (one === null || other === null) return one ?? other;
  return Math.min(one, other);
}
