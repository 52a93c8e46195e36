import type { Limits } from '../../contract/ledger.ts';
import type { Queryable } from '../database.ts';
import type { UploadRow } from '../rows.ts';

/**
 * Limits that look back over a sliding period, in buckets of 1/64 of it. A bucket counts until `period` after
 * the last charge in it: so no period ever holds more than the limit, a single charge leaves exactly `period`
 * after it came, and an owner never has more than 65 buckets to add up. Buckets belong to a width, not to a
 * limit; where a limit's period is changed, it starts afresh.
 */
export const BUCKETS_PER_PERIOD = 64;
/** Slots that are looked at to tell when a rate frees; with more, the answer may be later than it had to be. */
const SLOTS_LOOKED_AT = 4096;

export type UploadRateLimit = 'bytesPer' | 'uploadsPer';
type Charged = Pick<UploadRow, 'owner_id' | 'created_at' | 'size' | 'rate_buckets'>;

interface Bucket {
  readonly start_at: number;
  readonly last_at: number;
  readonly uploads: number;
  readonly bytes: number;
}

export const bucketWidth = (period: number) => Math.max(1, Math.ceil(period / BUCKETS_PER_PERIOD));
export const bucketStart = (at: number, width: number) => Math.floor(at / width) * width;

/** What a row says of the buckets it was charged to. */
export function bucketWidthsFor(limits: Limits): string {
  const periods = [limits.bytesPer?.period, limits.uploadsPer?.period].filter(
    (period) => period !== undefined,
  );
  return [...new Set(periods.map(bucketWidth))].join(',');
}

const widthsOf = (rated: string) => (rated === '' ? [] : rated.split(',').map(Number));

export async function chargeUploadRates(q: Queryable, row: Charged): Promise<void> {
  const { owner_id, created_at, size } = row;
  for (const width of widthsOf(row.rate_buckets)) {
    await q.query(
      `insert into upload_rates (owner_id, width, start_at, last_at, ends_at, uploads, bytes)
        values ($1, $2, $3, $4, $5, 1, $6)
        on conflict (owner_id, width, start_at) do update set
          last_at = case when excluded.last_at > upload_rates.last_at then excluded.last_at else upload_rates.last_at end,
          ends_at = case when excluded.ends_at > upload_rates.ends_at then excluded.ends_at else upload_rates.ends_at end,
          uploads = upload_rates.uploads + 1, bytes = upload_rates.bytes + excluded.bytes`,
      [
        owner_id,
        width,
        bucketStart(created_at, width),
        created_at,
        created_at + width * BUCKETS_PER_PERIOD,
        size,
      ],
    );
  }
}

/** Changes the charge of an upload where it still counts: -1 and its size for one that never came. */
export async function correctUploadRates(
  q: Queryable,
  row: Charged,
  uploads: number,
  bytes: number,
): Promise<void> {
  for (const width of widthsOf(row.rate_buckets)) {
    await q.query(
      `update upload_rates set uploads = case when uploads + $4 > 0 then uploads + $4 else 0 end,
         bytes = case when bytes + $5 > 0 then bytes + $5 else 0 end
        where owner_id = $1 and width = $2 and start_at = $3`,
      [row.owner_id, width, bucketStart(row.created_at, width), uploads, bytes],
    );
  }
}

/** What the owner has spent of a limit within its period. */
export async function spentInPeriod(
  q: Queryable,
  ownerId: number,
  limit: UploadRateLimit,
  period: number,
  now: number,
): Promise<number> {
  const width = bucketWidth(period);
  const [sum] = await q.query<{ spent: number }>(
    `select cast(coalesce(sum(${columnOf(limit)}), 0) as bigint) as spent from upload_rates
      where owner_id = $1 and width = $2 and start_at > $3 and last_at > $4`,
    [ownerId, width, now - period - width, now - period],
  );
  return sum?.spent ?? 0;
}

const columnOf = (limit: UploadRateLimit) => (limit === 'bytesPer' ? 'bytes' : 'uploads');

/**
 * The moment from which no more than `room` is spent: buckets leave when their period is over, and slots that
 * wait for their PUT give their charge back at their deadline.
 */
export async function forecastRate(
  q: Queryable,
  asked: { ownerId: number; limit: UploadRateLimit; period: number; room: number; now: number },
): Promise<number | null> {
  const { ownerId, limit, period, room, now } = asked;
  const width = bucketWidth(period);
  const column = columnOf(limit);
  const buckets = await liveBuckets(q, ownerId, period, now);
  const left = new Map(buckets.map((bucket) => [bucket.start_at, bucket[column]]));
  const leaving = buckets.map((bucket) => ({
    at: bucket.last_at + period,
    start: bucket.start_at,
    amount: bucket[column],
  }));
  const unused = (await waitingSlots(q, ownerId))
    .filter(({ rate_buckets }) => widthsOf(rate_buckets).includes(width))
    .map((slot) => ({
      at: slot.deadline,
      start: bucketStart(slot.created_at, width),
      amount: column === 'bytes' ? slot.size : 1,
    }));
  let total = buckets.reduce((sum, bucket) => sum + bucket[column], 0);
  for (const { at, start, amount } of [...leaving, ...unused].sort((a, b) => a.at - b.at)) {
    const inBucket = left.get(start) ?? 0;
    const given = Math.min(amount, inBucket);
    left.set(start, inBucket - given);
    total -= given;
    if (total <= room) return Math.max(at, now);
  }
  return null;
}

async function liveBuckets(q: Queryable, ownerId: number, period: number, now: number): Promise<Bucket[]> {
  const width = bucketWidth(period);
  return await q.query<Bucket>(
    `select start_at, last_at, uploads, bytes from upload_rates
      where owner_id = $1 and width = $2 and start_at > $3 and last_at > $4`,
    [ownerId, width, now - period - width, now - period],
  );
}

async function waitingSlots(q: Queryable, ownerId: number) {
  return await q.query<Charged & { deadline: number }>(
    `select created_at, deadline, size, rate_buckets from uploads
      where state = 'issued' and owner_id = $1 order by deadline limit $2`,
    [ownerId, SLOTS_LOOKED_AT],
  );
}
