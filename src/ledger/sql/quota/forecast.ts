import type { Lifetimes } from '../../contract/ledger.ts';
import type { Queryable } from '../database.ts';
import { lifetimeFor } from '../expiry.ts';

/** The uploads that a forecast considers: those of one owner or of all owners. */
export interface ForecastScope {
  readonly ownerId?: number;
  /** Only issued slots of this purpose. */
  readonly slotPurpose?: string;
  /** Only stored uploads of these purposes. */
  readonly purposes: readonly string[];
  readonly lifetimes: Lifetimes;
}

interface Expiry {
  readonly at: number;
  readonly size: number;
}

/** Expiries in order of time. The query had a limit, so later expiries than `completeUntil` may be missing. */
interface ExpiryList {
  readonly expiries: readonly Expiry[];
  readonly completeUntil: number;
}

/** Maximum number of rows per query: in the first attempt, and in the second and last one. */
const READ_LIMITS = [64, 4096];

/**
 * Returns when `needed` bytes or files will have expired; null if they never will. If even the second attempt does not read enough
 * rows, returns the time up to which the rows were read. A later forecast then gets further.
 */
export async function forecastRoom(
  q: Queryable,
  scope: ForecastScope,
  needed: number,
  unit: 'bytes' | 'files',
): Promise<number | null> {
  let completeUntil = Number.POSITIVE_INFINITY;
  let found: number | null = null;
  for (const limit of READ_LIMITS) {
    const lists = await readExpiries(q, scope, limit);
    completeUntil = Math.min(...lists.map((list) => list.completeUntil));
    found = timeToFree(lists, needed, unit);
    if (found !== null && found <= completeUntil) return found;
    if (completeUntil === Number.POSITIVE_INFINITY) return found;
  }
  return found ?? completeUntil;
}

function timeToFree(lists: readonly ExpiryList[], needed: number, unit: 'bytes' | 'files'): number | null {
  let freed = 0;
  const expiries = lists.flatMap((list) => list.expiries).sort((a, b) => a.at - b.at);
  for (const { at, size } of expiries) {
    freed += unit === 'files' ? 1 : size;
    if (freed >= needed) return at;
  }
  return null;
}

async function readExpiries(q: Queryable, scope: ForecastScope, limit: number): Promise<ExpiryList[]> {
  const lists = [await slotDeadlines(q, scope, limit), await expiryTimes(q, scope, limit)];
  for (const purpose of scope.purposes) {
    const { maxAge } = lifetimeFor(scope.lifetimes, purpose);
    if (maxAge !== null) lists.push(await maxAgeExpiries(q, scope, purpose, maxAge, limit));
  }
  return lists;
}

async function slotDeadlines(q: Queryable, scope: ForecastScope, limit: number): Promise<ExpiryList> {
  const rows = await q.query<{ at: number; size: number; purpose: string }>(
    `select deadline as at, size, purpose from uploads
      where state = 'issued' ${whereOwner(scope)} order by deadline limit $1`,
    limitAndOwner(scope, limit),
  );
  const { slotPurpose } = scope;
  return toExpiryList(rows, limit, (row) => slotPurpose === undefined || row.purpose === slotPurpose);
}

/** Uploads whose `expiresAt` is earlier than the end of their maximum age. */
async function expiryTimes(q: Queryable, scope: ForecastScope, limit: number): Promise<ExpiryList> {
  const rows = await q.query<{ at: number; size: number; purpose: string; stored_at: number }>(
    `select expires_at as at, size, purpose, stored_at from uploads
      where state = 'stored' and expires_at is not null ${whereOwner(scope)} order by expires_at limit $1`,
    limitAndOwner(scope, limit),
  );
  return toExpiryList(rows, limit, ({ at, purpose, stored_at }) => {
    const { maxAge } = lifetimeFor(scope.lifetimes, purpose);
    return scope.purposes.includes(purpose) && (maxAge === null || at <= stored_at + maxAge);
  });
}

interface StoredRow {
  readonly created_at: number;
  readonly stored_at: number;
  readonly size: number;
  readonly expires_at: number | null;
}

/** Uploads that expire by their maximum age. */
async function maxAgeExpiries(
  q: Queryable,
  scope: ForecastScope,
  purpose: string,
  maxAge: number,
  limit: number,
): Promise<ExpiryList> {
  const isOneOwner = scope.ownerId !== undefined;
  const rows = await q.query<StoredRow>(
    `select created_at, stored_at, size, expires_at from uploads
      where state = 'stored' and purpose = $2 ${whereOwner(scope, 3)}
      order by ${isOneOwner ? 'id' : 'stored_at'} limit $1`,
    [limit, purpose, ...limitAndOwner(scope, limit).slice(1)],
  );
  const aged = rows.map((row) => ({ ...row, at: row.stored_at + maxAge }));
  const counts = ({ at, expires_at }: { at: number } & StoredRow) => expires_at === null || expires_at > at;
  if (!isOneOwner) return toExpiryList(aged, limit, counts);
  // Rows after the last id were created in the same second or later, and stored after that.
  return toExpiryList(aged, limit, counts, (last) => startOfSecond(last.created_at) + maxAge);
}

const startOfSecond = (at: number) => Math.floor(at / 1000) * 1000;

function toExpiryList<Row extends Expiry>(
  rows: readonly Row[],
  limit: number,
  counts: (row: Row) => boolean,
  until = (last: Row) => last.at,
): ExpiryList {
  const last = rows.length < limit ? undefined : rows.at(-1);
  return { expiries: rows.filter(counts), completeUntil: last ? until(last) : Number.POSITIVE_INFINITY };
}

const whereOwner = (scope: ForecastScope, at = 2) =>
  scope.ownerId === undefined ? '' : `and owner_id = $${at}`;
const limitAndOwner = (scope: ForecastScope, limit: number) =>
  scope.ownerId === undefined ? [limit] : [limit, scope.ownerId];
