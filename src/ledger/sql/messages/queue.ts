import type {
  EnqueueParams,
  EnqueueResult,
  PostponeParams,
  QueuedItem,
  QueuedItemRef,
  QueueName,
  TakeDueParams,
} from '../../contract/messages.ts';
import { chunks, type Database, inList, type Queryable } from '../database.ts';

/** See `Post.enqueue`. The row of the queue counts and orders: who changes what waits takes it first. */
export async function enqueueItem(q: Queryable, order: EnqueueParams): Promise<EnqueueResult> {
  const { queue, queueKey, owner, body, now, giveUpAt, limit } = order;
  const [row] = await q.query<{ last_id: number }>(
    `update queues set waiting = waiting + 1, last_id = last_id + 1
      where queue = $1 and waiting < $2 returning last_id`,
    [queue, limit],
  );
  if (!row) return { outcome: 'full' };
  const id = row.last_id;
  await q.query(
    `insert into queued (queue, lane, id, owner, body, queued_at, give_up_at)
      values ($1, $2, $3, $4, $5, $6, $7)`,
    [queue, queueKey, id, owner, body, now, giveUpAt],
  );
  await q.query(
    `insert into lanes (queue, lane, head, attempts, ready_at) values ($1, $2, $3, 0, $4)
      on conflict (queue, lane) do nothing`,
    [queue, queueKey, id, now],
  );
  return { outcome: 'queued', id };
}

/** See `MessageStore.takeDue`. Where nothing is due, nothing is locked either. */
export async function takeDueItems(db: Database, order: TakeDueParams): Promise<QueuedItem[]> {
  const { queue, now, limit } = order;
  if (limit < 1 || ((await queryNextDueAt(db, queue)) ?? Number.POSITIVE_INFINITY) > now) return [];
  return await db.transaction((q) => take(q, order), 'lazy');
}

const DUE = `select lanes.queue, lanes.lane as "queueKey", lanes.head as id, lanes.attempts, queued.owner, queued.body,
    queued.queued_at as "queuedAt", queued.give_up_at as "giveUpAt"
  from lanes join queued on queued.queue = lanes.queue and queued.lane = lanes.lane and queued.id = lanes.head
  where lanes.queue = $1 and lanes.ready_at <= $2 order by lanes.ready_at limit $3`;

async function take(
  q: Queryable,
  { queue, now, limit, instance, takenUntil }: TakeDueParams,
): Promise<QueuedItem[]> {
  await q.query('update queues set waiting = waiting where queue = $1', [queue]);
  const firsts = await q.query<QueuedItem>(DUE, [queue, now, limit]);
  if (firsts.length === 0) return [];
  for (const lanes of chunks(firsts.map(({ queueKey }) => queueKey))) {
    await q.query(
      `update lanes set ready_at = $1, holder = $2 where queue = $3 and lane in ${inList(lanes.length, 4)}`,
      [takenUntil, instance, queue, ...lanes],
    );
  }
  return firsts;
}

/** See `MessageStore.removeQueued`. */
export async function removeQueuedItem(q: Queryable, { queue, queueKey, id }: QueuedItemRef): Promise<void> {
  await q.query('update queues set waiting = waiting where queue = $1', [queue]);
  const gone = await q.query(
    'delete from queued where queue = $1 and lane = $2 and id = $3 returning 1 as one',
    [queue, queueKey, id],
  );
  if (gone.length === 0) return;
  await q.query('update queues set waiting = waiting - 1 where queue = $1', [queue]);
  const [next] = await q.query<{ id: number; queued_at: number }>(
    'select id, queued_at from queued where queue = $1 and lane = $2 order by id limit 1',
    [queue, queueKey],
  );
  if (next === undefined) {
    await q.query('delete from lanes where queue = $1 and lane = $2', [queue, queueKey]);
    return;
  }
  // Nothing changes where it was not the first.
  await q.query(
    `update lanes set head = $3, attempts = 0, ready_at = $4, holder = null
      where queue = $1 and lane = $2 and head <> $3`,
    [queue, queueKey, next.id, next.queued_at],
  );
}

/** See `Post.postpone`. */
export async function postponeItem(q: Queryable, order: PostponeParams): Promise<void> {
  const { queue, queueKey, id, instance, retryAt, countsAsAttempt } = order;
  await q.query(
    `update lanes set ready_at = $5, attempts = attempts + $6, holder = null
      where queue = $1 and lane = $2 and head = $3 and holder = $4`,
    [queue, queueKey, id, instance, retryAt, countsAsAttempt ? 1 : 0],
  );
}

/** See `MessageStore.queueLength`. */
export async function queryQueueLength(q: Queryable, queue: QueueName): Promise<number> {
  const [row] = await q.query<{ waiting: number }>('select waiting from queues where queue = $1', [queue]);
  return row?.waiting ?? 0;
}

/** See `MessageStore.hasQueued`. */
export async function hasQueuedItem(
  q: Queryable,
  { queue, queueKey }: { queue: QueueName; queueKey: string },
): Promise<boolean> {
  const found = await q.query('select 1 as one from lanes where queue = $1 and lane = $2', [queue, queueKey]);
  return found.length > 0;
}

/** See `MessageStore.nextDueAt`. */
export async function queryNextDueAt(q: Queryable, queue: QueueName): Promise<number | null> {
  const [row] = await q.query<{ at: number | null }>(
    'select min(ready_at) as at from lanes where queue = $1',
    [queue],
  );
  return row?.at ?? null;
}
