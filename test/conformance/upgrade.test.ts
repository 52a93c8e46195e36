import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import type { Ledger } from '../../src/ledger/contract/ledger.ts';
import { PostgresDatabase } from '../../src/ledger/postgres/database.ts';
import type { Database, Queryable } from '../../src/ledger/sql/database.ts';
import { createLedger } from '../../src/ledger/sql/methods.ts';
import { type Migration, migrate, readMigrations } from '../../src/ledger/sql/migrate.ts';
import { SqliteDatabase } from '../../src/ledger/sqlite/database.ts';
import { needs } from '../real/peers/peers.ts';
import { type PostgresServer, startPostgres } from '../real/peers/postgres.ts';
import { checkCounters, NOW, ROMEO, storeSlot } from './ledger/fixture.ts';
import {
  type EarlierRow,
  earlierChanges,
  earlierRows,
  FOREIGN,
  FOREIGN_LOCATOR,
  ISSUED,
  inNewNames,
  REMOVED,
  STORED,
  tablesWithoutRows,
} from './ledger/rows-of-earlier-versions.ts';

type TestDatabase = Database & { migrate(): Promise<void> };

interface Engine {
  open(): Promise<TestDatabase>;
  /** Returns rows of texts that describe tables, columns and indexes, in any order. */
  readonly schemaSql: string;
}

const migrations = await readMigrations();

/** Brings an empty database to an earlier schema, and fills it after each migration, as the versions of that time did. */
async function createEarlier(db: Database, last: number): Promise<void> {
  await db.transaction(
    async (q) => {
      for (let version = 1; version <= last; version += 1) {
        await migrate(q, migrations.slice(0, version));
        for (const row of earlierRows.filter(({ since }) => since === version)) await insert(q, row);
        for (const { sql } of earlierChanges.filter(({ since }) => since === version)) await q.query(sql);
      }
    },
    'durable',
    'always',
  );
}

async function insert(q: Queryable, { table, values }: EarlierRow): Promise<void> {
  const names = Object.keys(values);
  const places = names.map((_, i) => `$${i + 1}`);
  await q.query(
    `insert into ${table} (${names.join(', ')}) values (${places.join(', ')})`,
    Object.values(values),
  );
}

async function count(db: Database, { table, values }: EarlierRow): Promise<number> {
  const given = Object.entries(values).filter(([, value]) => value !== null);
  const conditions = Object.entries(values).map(([name, value]) =>
    value === null ? `${name} is null` : `${name} = $${given.findIndex(([other]) => other === name) + 1}`,
  );
  const sql = `select count(*) as n from ${table} where ${conditions.join(' and ')}`;
  const [row] = await db.query<{ n: number }>(
    sql,
    given.map(([, value]) => value),
  );
  return Number(row?.n);
}

/** Checks files, limits and messages. */
async function checkLedger(ledger: Ledger, last: number): Promise<void> {
  const stored = await ledger.find(STORED);
  assert.deepEqual([stored?.state, stored?.owner, stored?.size], ['stored', ROMEO, 100]);
  assert.equal((await ledger.find(FOREIGN_LOCATOR))?.id, FOREIGN);
  assert.equal((await ledger.listRemovals({ limit: 9 }))[0]?.locator, REMOVED);
  await checkCounters(ledger);
  await storeSlot(ledger, ISSUED);
  const usage = await ledger.usage(ROMEO);
  assert.deepEqual([usage.uploads, usage.bytes, usage.pendingUploads], [2, 200, 0]);
  if (last < 3) return;
  const due = { queue: 'outbox', now: NOW, limit: 9, instance: 'here', takenUntil: NOW + 1 } as const;
  const [item] = await ledger.takeDue(due);
  assert.deepEqual([item?.id, item?.body, item?.attempts], [1, '{"a":"ä"}', 2]);
}

async function readSchema(db: Database, { schemaSql }: Engine): Promise<string[]> {
  const rows = await db.query<{ text: string }>(schemaSql);
  return rows.map(({ text }) => text.replaceAll(/test_\d+\./g, '')).toSorted();
}

function suite(name: string, engine: Engine): void {
  async function withDatabase(work: (db: TestDatabase) => Promise<void>): Promise<void> {
    const db = await engine.open();
    await work(db).finally(() => db.close());
  }

  describe(`an upgrade on ${name}`, () => {
    let fresh: string[];
    before(() =>
      withDatabase(async (db) => {
        await db.migrate();
        fresh = await readSchema(db, engine);
        assert.ok(fresh.length > 100);
      }),
    );

    for (const { version: last, name: title } of migrations) {
      test(`from schema ${last} (${title}) keeps every row and ends in the schema of a new database`, () =>
        withDatabase(async (db) => {
          await createEarlier(db, last);
          await db.migrate();
          for (const row of earlierRows.filter(({ since }) => since <= last).map(inNewNames)) {
            assert.equal(await count(db, row), 1, JSON.stringify(row));
          }
          assert.deepEqual(await readSchema(db, engine), fresh);
          await checkLedger(createLedger(db), last);
        }));
    }
  });
}

test('the rows of earlier versions cover every table that a migration creates', () => {
  const created = (migration: Migration) =>
    [...migration.sql.matchAll(/^create table (\w+)/gm)].map(([, table = '']) => table);
  const covered = new Set(earlierRows.map(({ since, table }) => `${since} ${table}`));
  const missing = migrations.flatMap((migration) =>
    created(migration)
      .filter((table) => !tablesWithoutRows.includes(table) && !covered.has(`${migration.version} ${table}`))
      .map((table) => `${migration.version} ${table}`),
  );
  assert.deepEqual(missing, [], 'Add a row of each to test/conformance/ledger/rows-of-earlier-versions.ts');
});

describe('SQLite files', () => {
  let folder: string;
  let opened = 0;
  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'porter-upgrade-'));
  });
  after(() => rm(folder, { recursive: true }));

  suite('SQLite', {
    async open() {
      opened += 1;
      return new SqliteDatabase({ file: join(folder, `${opened}.db`), sync: false });
    },
    schemaSql: `select m.name || ' ' || c.name || ' ' || c.type || ' ' || c."notnull" || ' ' || coalesce(c.dflt_value, '')
        || ' ' || c.pk as text from sqlite_master m join pragma_table_info(m.name) c where m.type = 'table'
      union all select sql from sqlite_master where type = 'index' and sql is not null`,
  });
});

describe('PostgreSQL server', { skip: needs('postgresql') }, () => {
  let server: PostgresServer;
  before(async () => {
    server = await startPostgres();
  });
  after(() => server.remove());

  suite('PostgreSQL', {
    open: async () => new PostgresDatabase({ url: await server.createSchema(), sync: false, connections: 2 }),
    schemaSql: `select table_name || ' ' || column_name || ' ' || data_type || ' ' || is_nullable || ' '
        || coalesce(column_default, '') as text
        from information_schema.columns where table_schema = current_schema()
      union all select indexdef from pg_indexes where schemaname = current_schema()`,
  });
});
