import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { type Migration, migrate, readMigrations } from '../../../src/ledger/sql/migrate.ts';
import { SqliteConnection } from '../../../src/ledger/sqlite/connection.ts';

const one: Migration = { version: 1, name: 'one', sql: '-- first; of two\ncreate table a (x text);\n' };
const two: Migration = {
  version: 2,
  name: 'two',
  sql: "create table b (x text);\n\ninsert into b values\n  ('a;b');\n",
};

describe('migrations', () => {
  test('run once each, in order, and record their time', async () => {
    const db = new SqliteConnection({ file: ':memory:', sync: false });
    await migrate(db, [one], 10);
    await migrate(db, [one, two], 20);
    await migrate(db, [one, two], 30);
    assert.deepEqual(
      (await db.query('select * from migrations order by version')).map((row) => ({ ...row })),
      [
        { version: 1, name: 'one', applied_at: 10 },
        { version: 2, name: 'two', applied_at: 20 },
      ],
    );
    assert.equal((await db.query<{ x: string }>('select x from b'))[0]?.x, 'a;b');
    db.close();
  });

  test('are read from the numbered files of their folder only', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'porter-migrations-'));
    await writeFile(join(folder, '0002_two.sql'), two.sql);
    await writeFile(join(folder, '0001_one.sql'), one.sql);
    await writeFile(join(folder, 'notes.txt'), 'nothing');
    assert.deepEqual(await readMigrations(folder), [one, two]);
    await rm(folder, { recursive: true });
  });

  test('are numbered without a gap', async () => {
    const versions = (await readMigrations()).map(({ version }) => version);
    assert.deepEqual(
      versions,
      versions.map((_, i) => i + 1),
    );
    assert.ok(versions.length > 0);
  });
});
