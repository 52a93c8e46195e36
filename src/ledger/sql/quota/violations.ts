import type { LimitName, Reservation } from '../../contract/ledger.ts';
import type { Queryable } from '../database.ts';
import { lifetimeFor, storedPurposes } from '../expiry.ts';
import { type OwnerAccount, type PurposeBytes, readGlobalBytes, readPurposeBytes } from './accounts.ts';
import { forecastFreeBytes } from './forecast.ts';
import { forecastRate, spentInPeriod, type UploadRateLimit } from './upload-rates.ts';

/** A limit that a reservation does not fit under. */
export interface QuotaViolation {
  readonly limit: LimitName;
  readonly used: number;
  readonly allowed: number;
  /** What the reservation adds: bytes, or one upload. */
  readonly requested: number;
  /** Stored bytes that may be evicted to make room here. */
  readonly evictable: number;
}

/** What an obstacle is too high by, before any eviction. */
export const excessAmount = (obstacle: QuotaViolation) =>
  obstacle.used + obstacle.requested - obstacle.allowed;

/**
 * The limits that a reservation does not fit under now. The account is already charged with it; nothing else is.
 */
export async function findViolations(
  q: Queryable,
  account: OwnerAccount,
  r: Reservation,
): Promise<QuotaViolation[]> {
  const measured = [...(await measureOwner(q, account, r)), ...(await measureRates(q, account, r))];
  if (r.limits.globalBytes !== null) {
    const used = await readGlobalBytes(q);
    const allowed = r.limits.globalBytes;
    measured.push({ limit: 'globalBytes', used, allowed, requested: r.upload.size, evictable: 0 });
  }
  return measured.filter((obstacle) => excessAmount(obstacle) > 0);
}

async function measureOwner(q: Queryable, account: OwnerAccount, r: Reservation): Promise<QuotaViolation[]> {
  const { ownerBytes, purposeBytes } = r.limits;
  const requested = r.upload.size;
  const used = account.bytes + account.pendingBytes - requested;
  const ownerFits = ownerBytes === null || used + requested <= ownerBytes;
  if (ownerFits && purposeBytes === null) return [];
  const purposes = await purposesWithout(q, account, r);
  const found: QuotaViolation[] = [];
  if (purposeBytes !== null) {
    const own = purposes.filter(({ purpose }) => purpose === r.upload.purpose);
    found.push({ limit: 'purposeBytes', allowed: purposeBytes, requested, ...tally(own, r) });
  }
  if (ownerBytes !== null) {
    found.push({ limit: 'ownerBytes', allowed: ownerBytes, requested, ...tally(purposes, r) });
  }
  return found;
}

/** The owner's purposes without this reservation, whose own purpose has no share of it yet unless it is `''`. */
async function purposesWithout(q: Queryable, account: OwnerAccount, r: Reservation): Promise<PurposeBytes[]> {
  return await readPurposeBytes(q, { ...account, pendingBytes: account.pendingBytes - r.upload.size });
}

function tally(purposes: readonly PurposeBytes[], r: Reservation): { used: number; evictable: number } {
  const used = purposes.reduce((sum, { bytes, pendingBytes }) => sum + bytes + pendingBytes, 0);
  const takable = purposes.filter(({ purpose }) => isEvictable(r, purpose));
  return { used, evictable: takable.reduce((sum, { bytes }) => sum + bytes, 0) };
}

export function isEvictable(r: Reservation, purpose: string): boolean {
  return r.evict && lifetimeFor(r.lifetimes, purpose).evictable;
}

async function measureRates(q: Queryable, account: OwnerAccount, r: Reservation): Promise<QuotaViolation[]> {
  const { bytesPer, uploadsPer } = r.limits;
  const found: QuotaViolation[] = [];
  const evictable = 0;
  if (bytesPer) {
    const used = await spentInPeriod(q, account.id, 'bytesPer', bytesPer.period, r.now);
    found.push({ limit: 'bytesPer', used, allowed: bytesPer.bytes, requested: r.upload.size, evictable });
  }
  if (uploadsPer) {
    const used = await spentInPeriod(q, account.id, 'uploadsPer', uploadsPer.period, r.now);
    found.push({ limit: 'uploadsPer', used, allowed: uploadsPer.uploads, requested: 1, evictable });
  }
  return found;
}

/** The moment from which the obstacle is gone if nothing else comes; null where it never will be. */
export async function forecastViolationEnd(
  q: Queryable,
  account: OwnerAccount,
  r: Reservation,
  obstacle: QuotaViolation,
): Promise<number | null> {
  const { limit, allowed, requested } = obstacle;
  if (requested > allowed) return null;
  if (limit === 'bytesPer' || limit === 'uploadsPer') return await freeRate(q, account, r, limit, obstacle);
  const needed = excessAmount(obstacle) - obstacle.evictable;
  const at = await forecastFreeBytes(q, await viewOf(q, account, r, limit), needed);
  return at === null ? null : Math.max(at, r.now);
}

async function freeRate(
  q: Queryable,
  account: OwnerAccount,
  r: Reservation,
  limit: UploadRateLimit,
  { allowed, requested }: QuotaViolation,
): Promise<number | null> {
  const period = r.limits[limit]?.period ?? 0;
  return await forecastRate(q, { ownerId: account.id, limit, period, room: allowed - requested, now: r.now });
}

/** What can free bytes by itself; evictable uploads are already counted as room. */
async function viewOf(
  q: Queryable,
  account: OwnerAccount,
  r: Reservation,
  limit: 'ownerBytes' | 'purposeBytes' | 'globalBytes',
) {
  const { lifetimes } = r;
  if (limit === 'globalBytes') return { purposes: await storedPurposes(q), lifetimes };
  const staying = (purpose: string) => !isEvictable(r, purpose);
  const ownerId = account.id;
  if (limit === 'ownerBytes') {
    const purposes = (await readPurposeBytes(q, account)).map(({ purpose }) => purpose);
    return { ownerId, purposes: purposes.filter(staying), lifetimes };
  }
  const { purpose } = r.upload;
  return { ownerId, slotsOf: purpose, purposes: [purpose].filter(staying), lifetimes };
}
