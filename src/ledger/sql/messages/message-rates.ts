import type { MessageRateParams, MessageRateResult } from '../../contract/messages.ts';
import type { Queryable } from '../database.ts';
import { BUCKETS_PER_PERIOD, bucketStart, bucketWidth } from '../quota/upload-rates.ts';

/** Start of the bucket, time of its last charge, number of messages. Sorted by start. */
type Bucket = readonly [start: number, last: number, count: number];

/** Implements `MessageStore.chargeMessageRate`. The buckets of a counter are one row, which is also the lock. See `upload-rates.ts`. */
export async function chargeMessageRate(q: Queryable, params: MessageRateParams): Promise<MessageRateResult> {
  const { key, period, limit, count, now } = params;
  if (count > limit) return { outcome: 'over', retryAt: null };
  const width = bucketWidth(period);
  const buckets = (await lockBuckets(q, key, width)).filter(([, last]) => last + period > now);
  const retryAt = timeOfRoom(buckets, period, limit - count, now);
  if (retryAt > now) return { outcome: 'over', retryAt };
  await q.query('update message_rates set buckets = $3, ends_at = $4 where key = $1 and width = $2', [
    key,
    width,
    JSON.stringify(add(buckets, [bucketStart(now, width), now, count])),
    now + width * BUCKETS_PER_PERIOD,
  ]);
  return { outcome: 'ok' };
}

async function lockBuckets(q: Queryable, key: string, width: number): Promise<Bucket[]> {
  const [row] = await q.query<{ buckets: string }>(
    `insert into message_rates (key, width, buckets, ends_at) values ($1, $2, '[]', 0)
      on conflict (key, width) do update set buckets = message_rates.buckets returning buckets`,
    [key, width],
  );
  return JSON.parse(row?.buckets ?? '[]');
}

/** Returns when at most `room` messages count; `now` if that is already true. */
function timeOfRoom(buckets: readonly Bucket[], period: number, room: number, now: number): number {
  let total = buckets.reduce((sum, [, , count]) => sum + count, 0);
  let at = now;
  for (const [, last, count] of buckets.toSorted(([, a], [, b]) => a - b)) {
    if (total <= room) break;
    total -= count;
    at = last + period;
  }
  return at;
}

/** Adds a charge. Its bucket may be an earlier one, because the clocks of processes differ. */
function add(buckets: readonly Bucket[], [start, at, count]: Bucket): Bucket[] {
  const same = buckets.find(([known]) => known === start);
  const rest = buckets.filter((bucket) => bucket !== same);
  const sum: Bucket = [start, Math.max(at, same?.[1] ?? at), count + (same?.[2] ?? 0)];
  return [...rest, sum].toSorted(([a], [b]) => a - b);
}

/** Adds the buckets of one key to those of another, and deletes the first. */
export async function mergeMessageRates(q: Queryable, from: string, to: string): Promise<void> {
  const moved = await q.query<{ width: number; buckets: string; ends_at: number }>(
    'delete from message_rates where key = $1 returning width, buckets, ends_at',
    [from],
  );
  for (const { width, buckets, ends_at } of moved) {
    const given: Bucket[] = JSON.parse(buckets);
    const sum = given.reduce(add, await lockBuckets(q, to, width));
    await q.query(
      `update message_rates set buckets = $3, ends_at = case when ends_at > $4 then ends_at else $4 end
        where key = $1 and width = $2`,
      [to, width, JSON.stringify(sum), ends_at],
    );
  }
}
