import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { COPIED_TABLES } from '../../../src/ledger/contract/copy.ts';
import { copiedColumns } from '../../../src/ledger/copy/copy-rows.ts';
import { SqliteDatabase } from '../../../src/ledger/sqlite/database.ts';

/**
 * Tables that belong to one database: schema version, migration state, running processes and imports, its blob store, the
 * refusals of the last day and its sweeps, sessions (users sign in again), the trash and the quarantine (a move empties them
 * first).
 */
const NOT_COPIED = [
  'dead_writers',
  'import_intents',
  'instances',
  'migrations',
  'migration_state',
  'pending_steps',
  'quarantine',
  'refusals',
  'sign_in_links',
  'store_identity',
  'sweep_runs',
  'trash',
  'web_sessions',
];

test('porter move copies every table and column of the schema', async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'porter-ledger-'));
  const db = new SqliteDatabase({ file: join(folder, 'porter.db'), sync: false });
  t.after(async () => {
    await db.close();
    await rm(folder, { recursive: true });
  });
  await db.migrate();
  const tables = await db.query<{ name: string }>("select name from sqlite_master where type = 'table'");
  const names = tables.map(({ name }) => name).filter((name) => !name.startsWith('sqlite_'));
  assert.deepEqual(names.toSorted(), [...COPIED_TABLES, ...NOT_COPIED].toSorted());
  for (const table of COPIED_TABLES) {
    const columns = await db.query<{ name: string }>(`pragma table_info(${table})`);
    assert.deepEqual(copiedColumns(table).toSorted(), columns.map(({ name }) => name).toSorted(), table);
  }
});
