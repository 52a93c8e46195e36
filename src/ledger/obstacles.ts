import { type Account, globalBytes, type PurposeBytes, purposesOf } from './accounts.ts';
import type { LimitName, Reservation } from './contract.ts';
import type { Queryable } from './database.ts';
import { lifetimeOf, storedPurposes } from './endings.ts';
import { bytesFreeAt } from './frees.ts';
import { type RateLimit, rateFreesAt, spent } from './rates.ts';

/** A limit that a reservation does not fit under. */
export interface Obstacle {
  readonly limit: LimitName;
  readonly used: number;
  readonly allowed: number;
  /** What the reservation adds: bytes, or one upload. */
  readonly needs: number;
  /** Stored bytes that may be evicted to make room here. */
  readonly evictable: number;
}

/** What an obstacle is too high by, before any eviction. */
export const excessOf = (obstacle: Obstacle) => obstacle.used + obstacle.needs - obstacle.allowed;

/**
 * The limits that a reservation does not fit under now. The account is already charged with it; nothing else is.
 */
export async function obstaclesOf(q: Queryable, account: Account, r: Reservation): Promise<Obstacle[]> {
  const measured = [...(await measureOwner(q, account, r)), ...(await measureRates(q, account, r))];
  if (r.limits.globalBytes !== null) {
    const used = await globalBytes(q);
    const allowed = r.limits.globalBytes;
    measured.push({ limit: 'globalBytes', used, allowed, needs: r.upload.size, evictable: 0 });
  }
  return measured.filter((obstacle) => excessOf(obstacle) > 0);
}

async function measureOwner(q: Queryable, account: Account, r: Reservation): Promise<Obstacle[]> {
  const { ownerBytes, purposeBytes } = r.limits;
  const needs = r.upload.size;
  const used = account.bytes + account.pendingBytes - needs;
  const ownerFits = ownerBytes === null || used + needs <= ownerBytes;
  if (ownerFits && purposeBytes === null) return [];
  const purposes = await purposesWithout(q, account, r);
  const found: Obstacle[] = [];
  if (purposeBytes !== null) {
    const own = purposes.filter(({ purpose }) => purpose === r.upload.purpose);
    found.push({ limit: 'purposeBytes', allowed: purposeBytes, needs, ...tally(own, r) });
  }
  if (ownerBytes !== null) {
    found.push({ limit: 'ownerBytes', allowed: ownerBytes, needs, ...tally(purposes, r) });
  }
  return found;
}

/** The owner's purposes without this reservation, whose own purpose has no share of it yet unless it is `''`. */
async function purposesWithout(q: Queryable, account: Account, r: Reservation): Promise<PurposeBytes[]> {
  return await purposesOf(q, { ...account, pendingBytes: account.pendingBytes - r.upload.size });
}

function tally(purposes: readonly PurposeBytes[], r: Reservation): { used: number; evictable: number } {
  const used = purposes.reduce((sum, { bytes, pendingBytes }) => sum + bytes + pendingBytes, 0);
  const takable = purposes.filter(({ purpose }) => isEvictable(r, purpose));
  return { used, evictable: takable.reduce((sum, { bytes }) => sum + bytes, 0) };
}

export function isEvictable(r: Reservation, purpose: string): boolean {
  return r.evict && lifetimeOf(r.lifetimes, purpose).evictable;
}

async function measureRates(q: Queryable, account: Account, r: Reservation): Promise<Obstacle[]> {
  const { bytesPer, uploadsPer } = r.limits;
  const found: Obstacle[] = [];
  const evictable = 0;
  if (bytesPer) {
    const used = await spent(q, account.id, 'bytesPer', bytesPer.period, r.now);
    found.push({ limit: 'bytesPer', used, allowed: bytesPer.bytes, needs: r.upload.size, evictable });
  }
  if (uploadsPer) {
    const used = await spent(q, account.id, 'uploadsPer', uploadsPer.period, r.now);
    found.push({ limit: 'uploadsPer', used, allowed: uploadsPer.uploads, needs: 1, evictable });
  }
  return found;
}

/** The moment from which the obstacle is gone if nothing else comes; null where it never will be. */
export async function obstacleFreesAt(
  q: Queryable,
  account: Account,
  r: Reservation,
  obstacle: Obstacle,
): Promise<number | null> {
  const { limit, allowed, needs } = obstacle;
  if (needs > allowed) return null;
  if (limit === 'bytesPer' || limit === 'uploadsPer') return await freeRate(q, account, r, limit, obstacle);
  const needed = excessOf(obstacle) - obstacle.evictable;
  const at = await bytesFreeAt(q, await viewOf(q, account, r, limit), needed);
  return at === null ? null : Math.max(at, r.now);
}

async function freeRate(
  q: Queryable,
  account: Account,
  r: Reservation,
  limit: RateLimit,
  { allowed, needs }: Obstacle,
): Promise<number | null> {
  const period = r.limits[limit]?.period ?? 0;
  return await rateFreesAt(q, { ownerId: account.id, limit, period, room: allowed - needs, now: r.now });
}

/** What can free bytes by itself; evictable uploads are already counted as room. */
async function viewOf(
  q: Queryable,
  account: Account,
  r: Reservation,
  limit: 'ownerBytes' | 'purposeBytes' | 'globalBytes',
) {
  const { lifetimes } = r;
  if (limit === 'globalBytes') return { purposes: await storedPurposes(q), lifetimes };
  const staying = (purpose: string) => !isEvictable(r, purpose);
  const ownerId = account.id;
  if (limit === 'ownerBytes') {
    const purposes = (await purposesOf(q, account)).map(({ purpose }) => purpose);
    return { ownerId, purposes: purposes.filter(staying), lifetimes };
  }
  const { purpose } = r.upload;
  return { ownerId, slotsOf: purpose, purposes: [purpose].filter(staying), lifetimes };
}
