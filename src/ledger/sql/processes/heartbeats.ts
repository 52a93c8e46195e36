import { randomId } from '../../../base/ids.ts';
import { HEARTBEAT_TIMEOUT_MS, type Heartbeat, type InstanceState } from '../../contract/processes.ts';
import { chunks, inList, type Queryable } from '../database.ts';
import { addDeadWriters } from './dead-writers.ts';

/** Returns an expression for the time of the ledger's clock, or for the value of the parameter `param` if it is not null. */
export const ledgerTimeSql = ({ nowSql }: Queryable, param: string) =>
  `coalesce(cast(${param} as bigint), ${nowSql})`;

/** Returns an expression for the latest time whose heartbeats have expired. */
export const silentSinceSql = (q: Queryable, param: string) =>
  `(${ledgerTimeSql(q, param)} - ${HEARTBEAT_TIMEOUT_MS})`;

/** Processes without a heartbeat for this long are deleted. */
const DELETE_AFTER_MS = 86_400_000;

/** Implements `ProcessStore.heartbeat`. */
export async function recordHeartbeat(q: Queryable, heartbeat: Heartbeat): Promise<void> {
  const { id, host, pid, machineId, bootId, pidNamespace, clockSkewMs, ledgerTime = null } = heartbeat;
  await q.query(
    `insert into instances (id, host, pid, machine_id, boot_id, pid_namespace, clock_skew_ms, seen_at)
      values ($1, $2, $3, $4, $5, $6, $7, ${ledgerTimeSql(q, '$8')})
      on conflict (id) do update set host = excluded.host, pid = excluded.pid, machine_id = excluded.machine_id,
        boot_id = excluded.boot_id, pid_namespace = excluded.pid_namespace, clock_skew_ms = excluded.clock_skew_ms,
        seen_at = excluded.seen_at`,
    [id, host, pid, machineId, bootId, pidNamespace, clockSkewMs, ledgerTime],
  );
  const silent = await q.query<{ id: string }>(
    `delete from instances where seen_at <= ${ledgerTimeSql(q, '$1')} - ${DELETE_AFTER_MS} returning id`,
    [ledgerTime],
  );
  await addDeadWriters(
    q,
    silent.map((instance) => instance.id),
  );
}

/** Implements `ProcessStore.readClock`. */
export async function readClock(q: Queryable): Promise<number> {
  const [row] = await q.query<{ now: number }>(`select ${q.nowSql} as now`);
  return row?.now ?? 0;
}

/** Implements `ProcessStore.checkWritable`. */
export async function writeTestRow(q: Queryable): Promise<void> {
  const id = `write test ${randomId()}`;
  await q.query("insert into instances (id, host, pid, seen_at) values ($1, '', 0, 0)", [id]);
  await q.query('delete from instances where id = $1', [id]);
}

/** Implements `ProcessStore.listInstances`. */
export function queryInstances(q: Queryable): Promise<InstanceState[]> {
  return q.query(
    `select id, host, pid, machine_id as "machineId", boot_id as "bootId", pid_namespace as "pidNamespace",
       clock_skew_ms as "clockSkewMs", seen_at as "seenAt", ${q.nowSql} - seen_at as "silentMs"
      from instances order by id`,
  );
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
  await addDeadWriters(q, ids);
}

/** Implements `ProcessStore.endInstance`. */
export async function deleteInstance(q: Queryable, id: string): Promise<void> {
  await q.query('delete from instances where id = $1', [id]);
}
