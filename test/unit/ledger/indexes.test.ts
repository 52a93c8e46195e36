import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { isIndexChange, planIndexes } from '../../../src/ledger/sql/indexes.ts';
import { migrate, readMigrations, statementsOf } from '../../../src/ledger/sql/migrate.ts';
import { SqliteConnection } from '../../../src/ledger/sqlite/connection.ts';

describe('the plan of the indexes', () => {
  test('has exactly the indexes that all migrations create, with the current names', async () => {
    const migrations = await readMigrations();
    const { present, dropped } = planIndexes(migrations);
    const read = async (db: SqliteConnection) => {
      const rows = await db.query<{ name: string; sql: string }>(
        "select name, sql from sqlite_master where type = 'index' and sql is not null",
      );
      return rows.map(({ name }) => name).toSorted();
    };
    const db = new SqliteConnection({ file: ':memory:', sync: false });
    await migrate(db, migrations);
    assert.deepEqual(await read(db), [...present.keys()].toSorted());
    assert.equal(new Set(present.keys()).intersection(dropped).size, 0, 'a name is never used again');
    // Each statement fits the current tables and columns.
    for (const [name, sql] of present) {
      await db.query(`drop index ${name}`);
      await db.query(sql);
    }
    assert.deepEqual(await read(db), [...present.keys()].toSorted());
    db.close();
  });

  test('defers the indexes of tables with rows only', async () => {
    const [first, , , , fifth] = await readMigrations();
    assert.ok(first && fifth);
    assert.ok(statementsOf(first.sql).every((statement) => !isIndexChange(statement, first)));
    assert.ok(statementsOf(fifth.sql).every((statement) => isIndexChange(statement, fifth)));
  });

  test('follows renamed tables and columns, and dropped tables', () => {
    const sql = `create table a (x text, y text);
      create unique index a_x on a (x, y) where x is not null;
      create table b (x text);
      create index b_x on b (x);
      alter table a rename to c;
      alter table c rename column x to z;
      drop table b;`;
    const { present } = planIndexes([{ version: 1, name: '', sql }]);
    assert.deepEqual([...present], [['a_x', 'create unique index a_x on c (z, y) where z is not null']]);
  });
});
