import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import type { Durability } from '../../../src/ledger/sql/database.ts';
import { SqliteConnection } from '../../../src/ledger/sqlite/connection.ts';

const FULL = 2;
const NORMAL = 1;

/** https://www.sqlite.org/pragma.html#pragma_synchronous */
async function levelWithin(connection: SqliteConnection, durability: Durability): Promise<unknown> {
  connection.begin(durability);
  const [row] = await connection.query<{ synchronous: number }>('pragma synchronous');
  connection.exec('commit');
  return row?.synchronous;
}

async function open(t: import('node:test').TestContext, sync: boolean): Promise<SqliteConnection> {
  const folder = await mkdtemp(join(tmpdir(), 'porter-durability-'));
  const connection = new SqliteConnection({ file: join(folder, 'x.db'), sync });
  t.after(async () => {
    connection.close();
    await rm(folder, { recursive: true });
  });
  return connection;
}

test('a durable commit is flushed, also directly after a lazy one', async (t) => {
  const connection = await open(t, true);
  assert.equal(await levelWithin(connection, 'durable'), FULL);
  assert.equal(await levelWithin(connection, 'lazy'), NORMAL);
  assert.equal(await levelWithin(connection, 'durable'), FULL);
});

test('without sync no commit is flushed', async (t) => {
  const connection = await open(t, false);
  assert.equal(await levelWithin(connection, 'durable'), NORMAL);
});
