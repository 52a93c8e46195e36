import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import pg from 'pg';
import { PostgresDatabase } from '../../../src/ledger/postgres/database.ts';
import { migrate, readMigrations } from '../../../src/ledger/sql/migrate.ts';
import { needs } from '../peers/peers.ts';
import { type PostgresServer, startPostgres } from '../peers/postgres.ts';

describe('An upgrade of a PostgreSQL ledger', { skip: needs('postgresql') }, () => {
  let server: PostgresServer;
  before(async () => {
    server = await startPostgres();
  });
  after(() => server.remove());

  /** A database of an early version. */
  const createOld = async (): Promise<string> => {
    const url = await server.createSchema();
    const database = new PostgresDatabase({ url, sync: true });
    const early = (await readMigrations()).slice(0, 4);
    await database.transaction((q) => migrate(q, early), 'durable', 'always');
    await database.close();
    return url;
  };

  const indexes = async (url: string) => {
    const { rows } = await server.query(
      url,
      `select class.relname as name, indisvalid as valid, pg_get_indexdef(indexrelid) as definition
        from pg_index join pg_class as class on class.oid = indexrelid
        where class.relnamespace = current_schema()::regnamespace order by 1`,
    );
    return rows as { name: string; valid: boolean; definition: string }[];
  };

  /** Index definitions without the schema. */
  const definitions = async (url: string) =>
    (await indexes(url)).map(({ definition }) => definition.replaceAll(/test_\d+\./g, ''));

  const upgrade = async (url: string) => {
    const database = new PostgresDatabase({ url, sync: true });
    await database.migrate().finally(() => database.close());
  };

  test('makes the same indexes as a new installation', async () => {
    const [old, fresh] = [await createOld(), await server.createSchema()];
    // Several instances start at once.
    await Promise.all([upgrade(old), upgrade(old), upgrade(fresh)]);
    assert.deepEqual(await definitions(old), await definitions(fresh));
  });

  test('builds indexes while other instances write, and continues after a kill', async () => {
    const url = await createOld();
    const writer = new pg.Client({ connectionString: url });
    await writer.connect();
    // A concurrent build waits for the end of older snapshots.
    const reader = new pg.Client({ connectionString: url });
    await reader.connect();
    await reader.query('begin isolation level repeatable read');
    await reader.query('select 1 from owners');
    let hasEnded = false;
    const upgraded = upgrade(url).finally(() => {
      hasEnded = true;
    });
    upgraded.catch(() => {});
    /** Waits for a build, and returns the pid of its server process. */
    const building = async (): Promise<number> => {
      for (;;) {
        const { rows } = await server.query(
          url,
          "select pid from pg_stat_activity where query like 'create index concurrently%' and state = 'active'",
        );
        if (rows[0] !== undefined) return rows[0].pid;
        assert.ok(!hasEnded, 'the upgrade has ended without a concurrent build');
      }
    };
    const pid = await building();
    await writer.query("set lock_timeout = '20s'");
    await writer.query('update uploads set size = size + 1');
    await server.query(url, `select pg_terminate_backend(${pid})`);
    await building();
    assert.ok(
      (await indexes(url)).some(({ valid }) => !valid),
      'the kill has left an invalid index',
    );
    await reader.end();
    await writer.end();
    await upgraded;
    assert.ok((await indexes(url)).every(({ valid }) => valid));
    const fresh = await server.createSchema();
    await upgrade(fresh);
    assert.deepEqual(await definitions(url), await definitions(fresh));
  });
});
