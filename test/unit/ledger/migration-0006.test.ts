import assert from 'node:assert/strict';
import { test } from 'node:test';
import { migrate, readMigrations } from '../../../src/ledger/sql/migrate.ts';
import { readMigrationState } from '../../../src/ledger/sql/migration-state.ts';
import { SqliteConnection } from '../../../src/ledger/sqlite/connection.ts';

test('migration 0006 keeps the rows and the migration state of an older database', async () => {
  const db = new SqliteConnection({ file: ':memory:', sync: false });
  const migrations = await readMigrations();
  await migrate(db, migrations.slice(0, 5));
  await db.query("insert into standings values ('arriving')");
  await db.query("insert into doomed values ('ab/abc.jpg')");
  await db.query("insert into lanes values ('outbox', 'key', 1, 2, 3, 'process')");
  await db.query("insert into requests values ('owner', 'key', 'digest', 'response', 'process', 4, 5)");
  await migrate(db, migrations);
  assert.equal(await readMigrationState(db), 'importing');
  const [row] = await db.query(
    `select blob, queue_key, first_id, taken_by, request_digest, response, started_at
      from pending_deletes, queue_keys, idempotency_keys`,
  );
  assert.deepEqual(Object.values(row ?? {}), ['ab/abc.jpg', 'key', 1, 'process', 'digest', 'response', 4]);
  db.close();
});
