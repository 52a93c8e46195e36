import { countsUploads, type LimitName, type Reservation } from '../../contract/ledger.ts';
import type { Queryable } from '../database.ts';
import { lifetimeFor, storedPurposes } from '../expiry.ts';
import { countStored } from '../owner-uploads.ts';
import { type OwnerAccount, type PurposeBytes, readGlobalBytes, readPurposeBytes } from './accounts.ts';
import { type ForecastScope, forecastRoom } from './forecast.ts';
import { forecastRate, spentInPeriod, type UploadRateLimit } from './upload-rates.ts';

/** The part of a reservation that the quotas need. */
export type QuotaRequest = Pick<Reservation, 'upload' | 'limits' | 'evict' | 'lifetimes' | 'now'>;

/** A limit that a reservation would exceed. */
export interface QuotaViolation {
  readonly limit: LimitName;
  readonly used: number;
  readonly allowed: number;
  /** Bytes of the reservation, or 1 for a limit on uploads. */
  readonly requested: number;
  /** Stored bytes that eviction could free under this limit; of files, as many as are needed at most. */
  readonly evictable: number;
}

/** Returns by how much the limit would be exceeded without any eviction. */
export const excessAmount = (violation: QuotaViolation) =>
  violation.used + violation.requested - violation.allowed;

/**
 * Returns the limits that a reservation would exceed. The owner's account is already charged with the reservation; rates,
 * purposes and totals are not.
 */
export async function findViolations(
  q: Queryable,
  account: OwnerAccount,
  r: QuotaRequest,
): Promise<QuotaViolation[]> {
  const measured = [
    ...(await measureOwner(q, account, r)),
    ...(await measureFiles(q, account, r)),
    ...(await measureRates(q, account, r)),
  ];
  if (r.limits.globalBytes !== null) {
    const used = await readGlobalBytes(q);
    const allowed = r.limits.globalBytes;
    measured.push({ limit: 'globalBytes', used, allowed, requested: r.upload.size, evictable: 0 });
  }
  return measured.filter((violation) => excessAmount(violation) > 0);
}

async function measureOwner(q: Queryable, account: OwnerAccount, r: QuotaRequest): Promise<QuotaViolation[]> {
  const { ownerBytes, purposeBytes } = r.limits;
  const requested = r.upload.size;
  const used = account.bytes + account.pendingBytes - requested;
  const ownerFits = ownerBytes === null || used + requested <= ownerBytes;
  if (ownerFits && purposeBytes === null) return [];
  const purposes = await purposesWithout(q, account, r);
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

/** Counts stored files only if the limit is exceeded, and only as many as must be evicted. */
async function measureFiles(q: Queryable, account: OwnerAccount, r: QuotaRequest): Promise<QuotaViolation[]> {
  const allowed = r.limits.ownerFiles;
  const used = account.uploads + account.pendingUploads - 1;
  if (allowed === null || used < allowed) return [];
  const evictable = await countEvictable(q, account, r, used + 1 - allowed);
  return [{ limit: 'ownerFiles', used, allowed, requested: 1, evictable }];
}

/** Returns how many files of the owner eviction could remove, and at most `limit`. */
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

/**
 * Returns the owner's bytes by purpose without this reservation. It is subtracted from the account only, because
 * `owner_purposes` is charged after the limits are checked.
 */
async function purposesWithout(
  q: Queryable,
  account: OwnerAccount,
  r: QuotaRequest,
): Promise<PurposeBytes[]> {
  return await readPurposeBytes(q, { ...account, pendingBytes: account.pendingBytes - r.upload.size });
}

function tally(purposes: readonly PurposeBytes[], r: QuotaRequest): { used: number; evictable: number } {
  const used = purposes.reduce((sum, { bytes, pendingBytes }) => sum + bytes + pendingBytes, 0);
  const evictablePurposes = purposes.filter(({ purpose }) => isEvictable(r, purpose));
  return { used, evictable: evictablePurposes.reduce((sum, { bytes }) => sum + bytes, 0) };
}

export function isEvictable(r: Pick<Reservation, 'evict' | 'lifetimes'>, purpose: string): boolean {
  return r.evict && lifetimeFor(r.lifetimes, purpose).evictable;
}

async function measureRates(q: Queryable, account: OwnerAccount, r: QuotaRequest): Promise<QuotaViolation[]> {
  const { bytesPer, uploadsPer } = r.limits;
  const found: QuotaViolation[] = [];
  const evictable = 0;
  const spentBytes = bytesPer && (await spentInPeriod(q, account.id, bytesPer.period, r.now));
  if (bytesPer && spentBytes) {
    const { bytes: used } = spentBytes;
    found.push({ limit: 'bytesPer', used, allowed: bytesPer.bytes, requested: r.upload.size, evictable });
  }
  if (uploadsPer) {
    const isSamePeriod = uploadsPer.period === bytesPer?.period;
    const spent =
      isSamePeriod && spentBytes ? spentBytes : await spentInPeriod(q, account.id, uploadsPer.period, r.now);
    const { uploads: used } = spent;
    found.push({ limit: 'uploadsPer', used, allowed: uploadsPer.uploads, requested: 1, evictable });
  }
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
