import type { Limits } from '../../contract/ledger.ts';
import type { Queryable } from '../database.ts';
import type { UploadRow } from '../rows.ts';
import { GLOBAL_BYTES } from './accounts.ts';

/**
 * Limits over a sliding period are counted in buckets of 1/64 of the period. A bucket counts until `period` after its last
 * charge. Consequences: no period exceeds the limit, a single charge expires exactly `period` later, and at most 65
 * buckets are added up. Buckets belong to a width, so a limit with a changed period starts from zero.
 */
export const BUCKETS_PER_PERIOD = 64;
/** Issued slots that a forecast reads. With more slots, the forecast may be later than necessary. */
const MAX_FORECAST_SLOTS = 4096;

export type UploadRateLimit = 'bytesPer' | 'uploadsPer';
type ChargedRow = Pick<UploadRow, 'owner_id' | 'created_at' | 'size' | 'rate_buckets'>;

interface Bucket {
  readonly start_at: number;
  readonly last_at: number;
  readonly uploads: number;
  readonly bytes: number;
}

export const bucketWidth = (period: number) => Math.max(1, Math.ceil(period / BUCKETS_PER_PERIOD));
export const bucketStart = (at: number, width: number) => Math.floor(at / width) * width;

/** Returns the bucket widths of these limits, comma-separated, as stored in `uploads.rate_buckets`. */
export function bucketWidthsFor(limits: Limits): string {
  const [bytes, uploads] = [limits.bytesPer, limits.uploadsPer].map(
    (rate) => rate && bucketWidth(rate.period),
  );
  if (!bytes || !uploads || bytes === uploads) return String(bytes || uploads || '');
  return `${bytes},${uploads}`;
}

const parseWidths = (widths: string) => (widths === '' ? [] : widths.split(',').map(Number));

export async function chargeUploadRates(q: Queryable, row: ChargedRow): Promise<void> {
  const { owner_id, created_at, size } = row;
  for (const width of parseWidths(row.rate_buckets)) {
    const start = bucketStart(created_at, width);
    // No charge of this bucket counts after this time. It is the same for all charges, so the index by this column is written once.
    const endsAt = start + width * (BUCKETS_PER_PERIOD + 1);
    await q.execute(
      `insert into upload_rates (owner_id, width, start_at, last_at, ends_at, uploads, bytes)
        values ($1, $2, $3, $4, $5, 1, $6)
        on conflict (owner_id, width, start_at) do update set
          last_at = case when excluded.last_at > upload_rates.last_at then excluded.last_at else upload_rates.last_at end,
          uploads = upload_rates.uploads + 1, bytes = upload_rates.bytes + excluded.bytes`,
      [owner_id, width, start, created_at, endsAt, size],
    );
  }
}

/** Adds to the charge of an upload, if its bucket still exists. For an unused slot, pass -1 and the negative size. */
export async function correctUploadRates(
  q: Queryable,
  row: ChargedRow,
  uploads: number,
  bytes: number,
): Promise<void> {
  for (const width of parseWidths(row.rate_buckets)) {
    await q.query(
      `update upload_rates set uploads = case when uploads + $4 > 0 then uploads + $4 else 0 end,
         bytes = case when bytes + $5 > 0 then bytes + $5 else 0 end
        where owner_id = $1 and width = $2 and start_at = $3`,
      [row.owner_id, width, bucketStart(row.created_at, width), uploads, bytes],
    );
  }
}

interface SpentInPeriod {
  readonly uploads: number;
  readonly bytes: number;
  /** Only with `withGlobal`. */
  readonly globalBytes?: number;
}

/** Returns the owner's uploads and bytes within a period. `withGlobal`: also the bytes of all owners, by the same statement. */
export async function spentInPeriod(
  q: Queryable,
  params: { ownerId: number; period: number; now: number; withGlobal?: boolean },
): Promise<SpentInPeriod> {
  const { ownerId, period, now, withGlobal = false } = params;
  const width = bucketWidth(period);
  const [sum] = await q.query<SpentInPeriod>(
    `select cast(coalesce(sum(uploads), 0) as bigint) as uploads, cast(coalesce(sum(bytes), 0) as bigint) as bytes
       ${withGlobal ? `, ${GLOBAL_BYTES}` : ''}
      from upload_rates where owner_id = $1 and width = $2 and start_at > $3 and last_at > $4`,
    [ownerId, width, now - period - width, now - period],
  );
  return sum ?? { uploads: 0, bytes: 0 };
}

/** The column of `upload_rates` that a limit counts. */
export const columnOf = (limit: UploadRateLimit) => (limit === 'bytesPer' ? 'bytes' : 'uploads');

/**
 * Returns when at most `room` will be used. Buckets expire at the end of their period, and unused slots are refunded at their
 * deadline. Returns null if neither is enough.
 */
export async function forecastRate(
  q: Queryable,
  params: { ownerId: number; limit: UploadRateLimit; period: number; room: number; now: number },
): Promise<number | null> {
  const { ownerId, limit, period, room, now } = params;
  const width = bucketWidth(period);
  const column = columnOf(limit);
  const buckets = await readCurrentBuckets(q, ownerId, period, now);
  const remaining = new Map(buckets.map((bucket) => [bucket.start_at, bucket[column]]));
  const expiring = buckets.map((bucket) => ({
    at: bucket.last_at + period,
    start: bucket.start_at,
    amount: bucket[column],
  }));
  const unused = (await readIssuedSlots(q, ownerId))
    .filter(({ rate_buckets }) => parseWidths(rate_buckets).includes(width))
    .map((slot) => ({
      at: slot.deadline,
      start: bucketStart(slot.created_at, width),
      amount: column === 'bytes' ? slot.size : 1,
    }));
  let total = buckets.reduce((sum, bucket) => sum + bucket[column], 0);
  for (const { at, start, amount } of [...expiring, ...unused].sort((a, b) => a.at - b.at)) {
    const inBucket = remaining.get(start) ?? 0;
    const refunded = Math.min(amount, inBucket);
    remaining.set(start, inBucket - refunded);
    total -= refunded;
    if (total <= room) return Math.max(at, now);
  }
  return null;
}

async function readCurrentBuckets(
  q: Queryable,
  ownerId: number,
  period: number,
  now: number,
): Promise<Bucket[]> {
  const width = bucketWidth(period);
  return await q.query<Bucket>(
    `select start_at, last_at, uploads, bytes from upload_rates
      where owner_id = $1 and width = $2 and start_at > $3 and last_at > $4`,
    [ownerId, width, now - period - width, now - period],
  );
}

async function readIssuedSlots(q: Queryable, ownerId: number) {
  return await q.query<ChargedRow & { deadline: number }>(
    `select created_at, deadline, size, rate_buckets from uploads
      where state = 'issued' and owner_id = $1 order by deadline limit $2`,
    [ownerId, MAX_FORECAST_SLOTS],
  );
}
