import type { Instance } from '../contract/ledger.ts';
import { chunks, inList, type Queryable } from './database.ts';

/** Processes without a heartbeat for this long are deleted. */
const DELETE_AFTER_MS = 86_400_000;

/** Implements `ProcessStore.heartbeat`. */
export async function recordHeartbeat(q: Queryable, { id, host, pid, now }: Instance): Promise<void> {
  await q.query(
    `insert into instances (id, host, pid, seen_at) values ($1, $2, $3, $4)
      on conflict (id) do update set host = excluded.host, pid = excluded.pid, seen_at = excluded.seen_at`,
    [id, host, pid, now],
  );
  await q.query('delete from instances where seen_at <= $1', [now - DELETE_AFTER_MS]);
}

/** Implements `ProcessStore.listInstances`. */
export function queryInstances(q: Queryable, host: string): Promise<Pick<Instance, 'id' | 'pid'>[]> {
  return q.query('select id, pid from instances where host = $1', [host]);
}

/** Implements `ProcessStore.removeInstances`. Backdating the claims marks them as abandoned. */
export async function deleteInstances(q: Queryable, ids: readonly string[]): Promise<void> {
  for (const chunk of chunks(ids)) {
    const idList = inList(chunk.length);
    await q.query(
      `update uploads set claimed_at = 0 where state = 'receiving' and instance in ${idList}`,
      chunk,
    );
    await q.query(`update queue_keys set ready_at = 0, taken_by = null where taken_by in ${idList}`, chunk);
    await q.query(`delete from idempotency_keys where response is null and instance in ${idList}`, chunk);
    await q.query(`delete from instances where id in ${idList}`, chunk);
  }
}
