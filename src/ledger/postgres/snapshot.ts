import pg from 'pg';
import { COPIED_TABLES, type CopiedRow, type CopiedTable, type RowKey } from '../contract/copy.ts';
import { findRangeEnd, readRowRange } from '../copy/copy-rows.ts';
import type { Queryable, SqlValue } from '../sql/database.ts';
import { POSTGRES_NOW, pgTypes } from './connection.ts';
import { fromPostgresError } from './postgres-error.ts';

const ROWS_PER_RANGE = 1000;
const CONNECT_TIMEOUT_MS = 10_000;

/**
 * Reads all rows of the ledger as they were at one moment, in one transaction, while others write. Calls `onRows` table by table,
 * owners first.
 * @throws LedgerError
 */
export async function readPostgresSnapshot(
  url: string,
  onRows: (table: CopiedTable, rows: readonly CopiedRow[]) => Promise<void>,
): Promise<void> {
  const client = new pg.Client({
    connectionString: url,
    application_name: 'porter backup',
    types: pgTypes,
    keepAlive: true,
    connectionTimeoutMillis: CONNECT_TIMEOUT_MS,
  });
  // The failed query reports a lost connection. Without a listener, the `error` event would end the process.
  client.on('error', () => {});
  try {
    await client.connect();
    await client.query('begin isolation level repeatable read read only');
    for (const table of COPIED_TABLES) await readTable(toQueryable(client), table, onRows);
    await client.query('commit');
  } catch (error) {
    throw fromPostgresError(error);
  } finally {
    await client.end().catch(() => undefined);
  }
}

async function readTable(
  q: Queryable,
  table: CopiedTable,
  onRows: (table: CopiedTable, rows: readonly CopiedRow[]) => Promise<void>,
): Promise<void> {
  for (let after: RowKey | null = null; ; ) {
    const upTo: RowKey | null = await findRangeEnd(q, { table, after, rows: ROWS_PER_RANGE });
    const rows = await readRowRange(q, { table, after, upTo });
    if (rows.length > 0) await onRows(table, rows);
    if (upTo === null) return;
    after = upTo;
  }
}

function toQueryable(client: pg.Client): Queryable {
  return {
    nowSql: POSTGRES_NOW,
    isConcurrent: true,
    async query<Row>(sql: string, params: readonly SqlValue[] = []): Promise<Row[]> {
      return (await client.query(sql, [...params])).rows as Row[];
    },
    async execute(sql, params = []) {
      return (await client.query(sql, [...params])).rowCount ?? 0;
    },
  };
}
