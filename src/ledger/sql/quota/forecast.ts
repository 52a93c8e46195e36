import type { Lifetimes } from '../../contract/ledger.ts';
import type { Queryable } from '../database.ts';
import { lifetimeFor } from '../expiry.ts';

/** What is looked at to tell when bytes free: uploads of one owner or of all, some purposes or all. */
export interface ForecastScope {
  readonly ownerId?: number;
  /** Slots of this purpose only. */
  readonly slotPurpose?: string;
  /** Stored uploads of these purposes. */
  readonly purposes: readonly string[];
  readonly lifetimes: Lifetimes;
}

interface Ending {
  readonly at: number;
  readonly size: number;
}

interface Stretch {
  readonly endings: readonly Ending[];
  /** Up to here it is complete. */
  readonly knownUntil: number;
}

/** First a short look; then a long one, which is the last: thousands of rows and no more. */
const LOOKS = [64, 4096];

/**
 * The moment from which `needed` bytes of this view will have ended by themselves; null where they never will.
 * Where even the last look is too short, it is the moment up to which was looked: later ones tell more.
 */
export async function forecastFreeBytes(
  q: Queryable,
  view: ForecastScope,
  needed: number,
): Promise<number | null> {
  let far = Number.POSITIVE_INFINITY;
  let found: number | null = null;
  for (const limit of LOOKS) {
    const stretches = await look(q, view, limit);
    far = Math.min(...stretches.map((stretch) => stretch.knownUntil));
    found = reach(stretches, needed);
    if (found !== null && found <= far) return found;
    if (far === Number.POSITIVE_INFINITY) return found;
  }
  return found ?? far;
}

function reach(stretches: readonly Stretch[], needed: number): number | null {
  let freed = 0;
  const endings = stretches.flatMap((stretch) => stretch.endings).sort((a, b) => a.at - b.at);
  for (const { at, size } of endings) {
    freed += size;
    if (freed >= needed) return at;
  }
  return null;
}

async function look(q: Queryable, view: ForecastScope, limit: number): Promise<Stretch[]> {
  const stretches = [await slots(q, view, limit), await named(q, view, limit)];
  for (const purpose of view.purposes) {
    const { maxAge } = lifetimeFor(view.lifetimes, purpose);
    if (maxAge !== null) stretches.push(await aging(q, view, purpose, maxAge, limit));
  }
  return stretches;
}

async function slots(q: Queryable, view: ForecastScope, limit: number): Promise<Stretch> {
  const rows = await q.query<{ at: number; size: number; purpose: string }>(
    `select deadline as at, size, purpose from uploads
      where state = 'issued' ${ofOwner(view)} order by deadline limit $1`,
    params(view, limit),
  );
  const { slotPurpose } = view;
  return stretch(rows, limit, (row) => slotPurpose === undefined || row.purpose === slotPurpose);
}

/** Uploads with an end of their own that comes before the one by age. */
async function named(q: Queryable, view: ForecastScope, limit: number): Promise<Stretch> {
  const rows = await q.query<{ at: number; size: number; purpose: string; stored_at: number }>(
    `select expires_at as at, size, purpose, stored_at from uploads
      where state = 'stored' and expires_at is not null ${ofOwner(view)} order by expires_at limit $1`,
    params(view, limit),
  );
  return stretch(rows, limit, ({ at, purpose, stored_at }) => {
    const { maxAge } = lifetimeFor(view.lifetimes, purpose);
    return view.purposes.includes(purpose) && (maxAge === null || at <= stored_at + maxAge);
  });
}

interface Aging {
  readonly created_at: number;
  readonly stored_at: number;
  readonly size: number;
  readonly expires_at: number | null;
}

/** Uploads that end by their age. */
async function aging(
  q: Queryable,
  view: ForecastScope,
  purpose: string,
  maxAge: number,
  limit: number,
): Promise<Stretch> {
  const isOwners = view.ownerId !== undefined;
  const rows = await q.query<Aging>(
    `select created_at, stored_at, size, expires_at from uploads
      where state = 'stored' and purpose = $2 ${ofOwner(view, 3)}
      order by ${isOwners ? 'id' : 'stored_at'} limit $1`,
    [limit, purpose, ...params(view, limit).slice(1)],
  );
  const aged = rows.map((row) => ({ ...row, at: row.stored_at + maxAge }));
  const counts = ({ at, expires_at }: { at: number } & Aging) => expires_at === null || expires_at > at;
  if (!isOwners) return stretch(aged, limit, counts);
  // Behind the last by id there are only such as were made in its second or later, and stored after that.
  return stretch(aged, limit, counts, (last) => secondOf(last.created_at) + maxAge);
}

const secondOf = (at: number) => Math.floor(at / 1000) * 1000;

function stretch<Row extends Ending>(
  rows: readonly Row[],
  limit: number,
  counts: (row: Row) => boolean,
  until = (last: Row) => last.at,
): Stretch {
  const last = rows.length < limit ? undefined : rows.at(-1);
  return { endings: rows.filter(counts), knownUntil: last ? until(last) : Number.POSITIVE_INFINITY };
}

const ofOwner = (view: ForecastScope, at = 2) => (view.ownerId === undefined ? '' : `and owner_id = $${at}`);
const params = (view: ForecastScope, limit: number) =>
  view.ownerId === undefined ? [limit] : [limit, view.ownerId];
