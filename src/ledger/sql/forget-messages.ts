import type { QueuedItemRef } from '../contract/messages.ts';
import type { Queryable } from './database.ts';
import { removeQueuedItem } from './messages/queue.ts';

/** Takes what an owner has waiting, at most `limit`, and all that its requests left. Returns what is left: 0 or 1. */
export async function forgetMessages(q: Queryable, owner: string, limit: number): Promise<number> {
  const places = await q.query<QueuedItemRef>(
    'select queue, lane as "queueKey", id from queued where owner = $1 limit $2',
    [owner, limit],
  );
  for (const place of places) await removeQueuedItem(q, place);
  await q.query('delete from requests where owner = $1', [owner]);
  await q.query('delete from message_rates where key = $1', [owner]);
  const [more] = await q.query('select 1 as one from queued where owner = $1 limit 1', [owner]);
  return more === undefined ? 0 : 1;
}
