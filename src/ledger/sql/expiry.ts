import { idTimePrefix } from '../../base/ids.ts';
import { formatPeriod } from '../../base/units.ts';
import type { UploadState } from '../../base/upload-records.ts';
import type { Lifetime, Lifetimes } from '../contract/ledger.ts';
import type { Queryable, SqlValue } from './database.ts';
import { deleteUploads, type RemovalCause, recordRemovals } from './remove.ts';
import type { UploadRow } from './rows.ts';

/**
 * A choice of uploads that the engines find by an index: `from uploads where <where> order by <order>`.
 * Parameters start with `$1`; what uses a selection adds its own behind them.
 */
export interface UploadSelection {
  readonly state: UploadState;
  readonly where: string;
  readonly order: string;
  readonly params: readonly SqlValue[];
}

/** Slots whose time is up; of one owner or of all. */
export function unusedSlots(now: number, ownerId?: number): UploadSelection {
  return selection('issued', 'deadline', 'deadline <= $1', [now], ownerId);
}

/** Uploads of a purpose that were stored at a moment or before. One owner's are found by their ids: no slot is made after it is filled. */
export function uploadsPastMaxAge(purpose: string, storedBy: number, ownerId?: number): UploadSelection {
  const where = 'purpose = $1 and stored_at <= $2';
  const params = [purpose, storedBy];
  if (ownerId === undefined) return selection('stored', 'stored_at', where, params);
  const nextSecond = idTimePrefix(Math.max(0, storedBy + 1000));
  return selection('stored', 'id', `${where} and id < $3`, [...params, nextSecond], ownerId);
}

/** Uploads whose own end has come. */
export function uploadsPastExpiry(now: number, ownerId?: number): UploadSelection {
  const where = 'expires_at is not null and expires_at <= $1';
  return selection('stored', 'expires_at', where, [now], ownerId);
}

function selection(
  state: UploadState,
  order: string,
  terms: string,
  params: readonly SqlValue[],
  ownerId?: number,
): UploadSelection {
  // Partial indexes are only seen behind a state that is written out.
  const where = `state = '${state}' and ${terms}`;
  if (ownerId === undefined) return { state, where, order, params };
  return {
    state,
    where: `${where} and owner_id = $${params.length + 1}`,
    order,
    params: [...params, ownerId],
  };
}

/**
 * Removes at most `limit` of a selection, the first by its order. The ids are looked up first: with both in one
 * statement SQLite may walk along all that is left for every batch.
 */
export async function removeSelected(
  q: Queryable,
  { where, order, params, state }: UploadSelection,
  limit: number,
  cause: RemovalCause,
): Promise<UploadRow[]> {
  const found = await q.query<{ id: string }>(
    `select id from uploads where ${where} order by ${order} limit $${params.length + 1}`,
    [...params, limit],
  );
  const ids = found.map(({ id }) => id);
  const rows = await deleteUploads(q, ids, state);
  await recordRemovals(q, rows, cause);
  return rows;
}

/** The reasons that a sweep and a reservation in need of room both put on record. */
export const removalCauses = {
  unused: (now: number): RemovalCause => ({ reason: 'unused', detail: 'nothing was uploaded in time', now }),
  ended: (now: number): RemovalCause => ({ reason: 'expired', detail: 'its request named this end', now }),
  aged: (now: number, maxAge: number, purpose: string): RemovalCause => ({
    reason: 'expired',
    detail: `older than ${formatPeriod(maxAge)}${purpose && ` (purpose ${purpose})`}`,
    now,
  }),
};

/** How long a purpose lives. One that the config no longer knows lives as long as uploads without a purpose. */
export function lifetimeFor(lifetimes: Lifetimes, purpose: string): Lifetime {
  if (Object.hasOwn(lifetimes, purpose)) return lifetimes[purpose] ?? { maxAge: null, evictable: false };
  const maxAge = lifetimes['']?.maxAge ?? null;
  return { maxAge, evictable: maxAge !== null };
}

/** Every purpose that something is stored under, found by seeks and not by a scan. */
export async function storedPurposes(q: Queryable): Promise<string[]> {
  const purposes: string[] = [];
  for (let next = await nextPurpose(q, '>=', ''); next !== null; next = await nextPurpose(q, '>', next)) {
    purposes.push(next);
  }
  return purposes;
}

async function nextPurpose(q: Queryable, than: '>' | '>=', purpose: string): Promise<string | null> {
  const [row] = await q.query<{ purpose: string | null }>(
    `select min(purpose) as purpose from uploads where state = 'stored' and purpose ${than} $1`,
    [purpose],
  );
  return row?.purpose ?? null;
}

/**
 * Removes what has ended but was not swept yet, at most about `limit` rows: room is there at the moment it was
 * promised for, whenever the next sweep may be.
 */
export async function removeExpired(
  q: Queryable,
  from: { ownerId?: number; purposes: readonly string[]; lifetimes: Lifetimes; now: number; limit: number },
): Promise<void> {
  const { ownerId, purposes, lifetimes, now, limit } = from;
  let left = limit;
  left -= (await removeSelected(q, unusedSlots(now, ownerId), left, removalCauses.unused(now))).length;
  left -= (await removeSelected(q, uploadsPastExpiry(now, ownerId), left, removalCauses.ended(now))).length;
  for (const purpose of purposes) {
    const { maxAge } = lifetimeFor(lifetimes, purpose);
    if (maxAge === null || left === 0) continue;
    const aged = uploadsPastMaxAge(purpose, now - maxAge, ownerId);
    left -= (await removeSelected(q, aged, left, removalCauses.aged(now, maxAge, purpose))).length;
  }
}
