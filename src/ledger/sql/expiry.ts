import { idTimePrefix } from '../../base/ids.ts';
import { formatPeriod } from '../../base/units.ts';
import type { UploadState } from '../../base/upload-records.ts';
import type { Lifetime, Lifetimes } from '../contract/ledger.ts';
import type { Queryable, SqlValue } from './database.ts';
import { deleteUploads, type RemovalCause, recordRemovals } from './remove.ts';
import type { UploadRow } from './rows.ts';

/**
 * Uploads that an index finds: `from uploads where <where> order by <order>`. Its parameters are numbered from `$1`; a statement
 * that uses it appends more parameters.
 */
export interface UploadSelection {
  readonly state: UploadState;
  readonly where: string;
  readonly order: string;
  readonly params: readonly SqlValue[];
}

/** Selects slots past their deadline, of one owner or of all. */
export function unusedSlots(now: number, ownerId?: number): UploadSelection {
  return selection('issued', 'deadline', 'deadline <= $1', [now], ownerId);
}

/**
 * Selects uploads of a purpose that were stored at `storedBy` or earlier. Those of one owner are found by their ids, which
 * begin with the time of the reservation.
 */
export function uploadsPastMaxAge(purpose: string, storedBy: number, ownerId?: number): UploadSelection {
  const where = 'purpose = $1 and stored_at <= $2';
  const params = [purpose, storedBy];
  if (ownerId === undefined) return selection('stored', 'stored_at', where, params);
  const nextSecond = idTimePrefix(Math.max(0, storedBy + 1000));
  return selection('stored', 'id', `${where} and id < $3`, [...params, nextSecond], ownerId);
}

/** Selects uploads past their own `expiresAt`. */
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
  // A partial index is only used if the statement contains its condition as a literal.
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
 * Removes the first uploads of a selection, at most `limit`. Selects the ids in a statement before the delete, because SQLite may
 * scan all remaining rows for each batch if both are one statement.
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

/** Causes that both a sweep and a reservation record. */
export const removalCauses = {
  unused: (now: number): RemovalCause => ({
    reason: 'unused',
    detail: 'no PUT ever came',
    detailAfterPut: 'a PUT came, but none was complete',
    now,
  }),
  expired: (now: number): RemovalCause => ({
    reason: 'expired',
    detail: 'its own expiry time had passed',
    now,
  }),
  maxAge: (now: number, maxAge: number, purpose: string): RemovalCause => ({
    reason: 'expired',
    detail: `older than ${formatPeriod(maxAge)}${purpose && ` (purpose ${purpose})`}`,
    now,
  }),
};

/** Returns the retention of a purpose. A purpose that was removed from the config has the retention of uploads without a purpose. */
export function lifetimeFor(lifetimes: Lifetimes, purpose: string): Lifetime {
  if (Object.hasOwn(lifetimes, purpose)) return lifetimes[purpose] ?? { maxAge: null, evictable: false };
  const maxAge = lifetimes['']?.maxAge ?? null;
  return { maxAge, evictable: maxAge !== null };
}

/** Returns all purposes of stored uploads, with one index seek per purpose. */
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
 * Removes up to `limit` expired uploads that the sweep has not removed yet, so that a forecast of `retryAt` does not depend on
 * the time of the next sweep. Returns their rows.
 */
export async function removeExpired(
  q: Queryable,
  params: { ownerId?: number; purposes: readonly string[]; lifetimes: Lifetimes; now: number; limit: number },
): Promise<UploadRow[]> {
  const { ownerId, purposes, lifetimes, now, limit } = params;
  const removed: UploadRow[] = [];
  const remove = async (selection: UploadSelection, cause: RemovalCause) => {
    const left = limit - removed.length;
    if (left > 0) removed.push(...(await removeSelected(q, selection, left, cause)));
  };
  await remove(unusedSlots(now, ownerId), removalCauses.unused(now));
  await remove(uploadsPastExpiry(now, ownerId), removalCauses.expired(now));
  for (const purpose of purposes) {
    const { maxAge } = lifetimeFor(lifetimes, purpose);
    if (maxAge === null) continue;
    const aged = uploadsPastMaxAge(purpose, now - maxAge, ownerId);
    await remove(aged, removalCauses.maxAge(now, maxAge, purpose));
  }
  return removed;
}
