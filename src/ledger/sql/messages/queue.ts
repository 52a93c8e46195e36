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

/**
 * Every change of a queue updates its row in `queues` first. This lock makes the changes of all processes run one after the
 * other, so that ids follow the order of arrival and no item is taken twice.
 */
async function lockQueue(q: Queryable, queue: QueueName): Promise<void> {
  await q.query('update queues set item_count = item_count where queue = $1', [queue]);
}

/** Implements `MessageStore.enqueue`. */
export async function enqueueItem(q: Queryable, item: EnqueueParams): Promise<EnqueueResult> {
  const { queue, queueKey, owner, body, now, giveUpAt, limit, keyLimit } = item;
  if (keyLimit !== undefined) {
    await lockQueue(q, queue);
    const last = await q.query(
      'select 1 as one from queue_items where queue = $1 and queue_key = $2 limit 1 offset $3',
      [queue, queueKey, keyLimit - 1],
    );
    if (last.length > 0) return { outcome: 'full' };
  }
  const [row] = await q.query<{ last_id: number }>(
    `update queues set item_count = item_count + 1, last_id = last_id + 1
      where queue = $1 and item_count < $2 returning last_id`,
    [queue, limit],
  );
  if (!row) return { outcome: 'full' };
  const id = row.last_id;
  await q.query(
    `insert into queue_items (queue, queue_key, id, owner, body, queued_at, give_up_at)
      values ($1, $2, $3, $4, $5, $6, $7)`,
    [queue, queueKey, id, owner, body, now, giveUpAt],
  );
  await q.query(
    `insert into queue_keys (queue, queue_key, first_id, attempts, ready_at) values ($1, $2, $3, 0, $4)
      on conflict (queue, queue_key) do nothing`,
    [queue, queueKey, id, now],
  );
  return { outcome: 'queued', id };
}

/** Implements `MessageStore.takeDue`. Starts no transaction if no item is due. */
export async function takeDueItems(db: Database, params: TakeDueParams): Promise<QueuedItem[]> {
  const { queue, now, limit } = params;
  if (limit < 1 || ((await queryNextDueAt(db, queue)) ?? Number.POSITIVE_INFINITY) > now) return [];
  return await db.transaction((q) => takeFirstItems(q, params), 'lazy');
}

const SELECT_DUE = `select queue_items.queue, queue_items.queue_key as "queueKey", queue_items.id, queue_keys.attempts,
    queue_items.owner, queue_items.body, queue_items.queued_at as "queuedAt", queue_items.give_up_at as "giveUpAt"
  from queue_keys join queue_items on queue_items.queue = queue_keys.queue
    and queue_items.queue_key = queue_keys.queue_key and queue_items.id = queue_keys.first_id
  where queue_keys.queue = $1 and queue_keys.ready_at <= $2 order by queue_keys.ready_at limit $3`;

async function takeFirstItems(
  q: Queryable,
  { queue, now, limit, instance, takenUntil }: TakeDueParams,
): Promise<QueuedItem[]> {
  await lockQueue(q, queue);
  const items = await q.query<QueuedItem>(SELECT_DUE, [queue, now, limit]);
  for (const queueKeys of chunks(items.map(({ queueKey }) => queueKey))) {
    await q.query(
      `update queue_keys set ready_at = $1, taken_by = $2
        where queue = $3 and queue_key in ${inList(queueKeys.length, 4)}`,
      [takenUntil, instance, queue, ...queueKeys],
    );
  }
  return items;
}

/** Implements `MessageStore.removeQueued`. */
export async function removeQueuedItem(q: Queryable, { queue, queueKey, id }: QueuedItemRef): Promise<void> {
  await lockQueue(q, queue);
  const deleted = await q.query(
    'delete from queue_items where queue = $1 and queue_key = $2 and id = $3 returning 1 as one',
    [queue, queueKey, id],
  );
  if (deleted.length === 0) return;
  await q.query('update queues set item_count = item_count - 1 where queue = $1', [queue]);
  const [next] = await q.query<{ id: number; queued_at: number }>(
    'select id, queued_at from queue_items where queue = $1 and queue_key = $2 order by id limit 1',
    [queue, queueKey],
  );
  if (next === undefined) {
    await q.query('delete from queue_keys where queue = $1 and queue_key = $2', [queue, queueKey]);
    return;
  }
  // Changes no row if the deleted item was not the first of its key.
  await q.query(
    `update queue_keys set first_id = $3, attempts = 0, ready_at = $4, taken_by = null
      where queue = $1 and queue_key = $2 and first_id <> $3`,
    [queue, queueKey, next.id, next.queued_at],
  );
}

/** Implements `MessageStore.postpone`. */
export async function postponeItem(q: Queryable, params: PostponeParams): Promise<void> {
  const { queue, queueKey, id, instance, retryAt, countsAsAttempt } = params;
  await q.query(
    `update queue_keys set ready_at = $5, attempts = attempts + $6, taken_by = null
      where queue = $1 and queue_key = $2 and first_id = $3 and taken_by = $4`,
    [queue, queueKey, id, instance, retryAt, countsAsAttempt ? 1 : 0],
  );
}

/** Implements `MessageStore.queueLength`. */
export async function queryQueueLength(q: Queryable, queue: QueueName): Promise<number> {
  const [row] = await q.query<{ item_count: number }>('select item_count from queues where queue = $1', [
    queue,
  ]);
  return row?.item_count ?? 0;
}

/** Implements `MessageStore.hasQueued`. */
export async function hasQueuedItem(
  q: Queryable,
  { queue, queueKey }: Pick<QueuedItemRef, 'queue' | 'queueKey'>,
): Promise<boolean> {
  const found = await q.query('select 1 as one from queue_keys where queue = $1 and queue_key = $2', [
    queue,
    queueKey,
  ]);
  return found.length > 0;
}

/** Implements `MessageStore.nextDueAt`. */
export async function queryNextDueAt(q: Queryable, queue: QueueName): Promise<number | null> {
  const [row] = await q.query<{ ready_at: number | null }>(
    'select min(ready_at) as ready_at from queue_keys where queue = $1',
    [queue],
  );
  return row?.ready_at ?? null;
}
