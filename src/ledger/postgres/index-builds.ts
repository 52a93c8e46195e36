import { setTimeout as sleep } from 'node:timers/promises';
import type { IndexPlan } from '../sql/indexes.ts';
import type { PostgresConnection } from './connection.ts';

/** Key of the advisory lock of index builds. All versions of Porter must use the same. */
const INDEX_LOCK = 7_086_739;
const LOCK_PAUSE_MS = 500;

/**
 * Creates missing indexes and drops those that are not used any more, without blocking the writers of their tables. A build that
 * was interrupted leaves an invalid index, which is dropped and built again. Only one process at a time does this.
 *
 * https://www.postgresql.org/docs/current/sql-createindex.html#SQL-CREATEINDEX-CONCURRENTLY
 */
export async function buildIndexes(connection: PostgresConnection, plan: IndexPlan): Promise<void> {
  if ((await findChanges(connection, plan)).length === 0) return;
  // A process that waited for the lock within a statement would hold a snapshot, for which a concurrent build waits.
  while (!(await tryLock(connection))) await sleep(LOCK_PAUSE_MS);
  try {
    for (const statement of await findChanges(connection, plan)) await connection.command(statement);
  } finally {
    await connection.query(`select pg_advisory_unlock(${INDEX_LOCK})`);
  }
}

async function tryLock(connection: PostgresConnection): Promise<boolean> {
  const [row] = await connection.query<{ taken: boolean }>(
    `select pg_try_advisory_lock(${INDEX_LOCK}) as taken`,
  );
  return row?.taken === true;
}

/** Returns the statements that bring the database to the plan. */
async function findChanges(
  connection: PostgresConnection,
  { present, dropped }: IndexPlan,
): Promise<string[]> {
  const rows = await connection.query<{ name: string; valid: boolean }>(
    `select class.relname as name, index.indisvalid as valid from pg_index as index
       join pg_class as class on class.oid = index.indexrelid
       join pg_namespace as namespace on namespace.oid = class.relnamespace
      where namespace.nspname = current_schema()`,
  );
  const found = new Map(rows.map(({ name, valid }) => [name, valid]));
  const missing = [...present].filter(([name]) => found.get(name) !== true);
  return [
    ...missing.flatMap(([name, sql]) => [
      ...(found.has(name) ? [dropSql(name)] : []),
      sql.replace(/\bindex\b/i, 'index concurrently'),
    ]),
    ...[...dropped].filter((name) => found.has(name) && !present.has(name)).map(dropSql),
  ];
}

const dropSql = (name: string) => `drop index concurrently ${name}`;
