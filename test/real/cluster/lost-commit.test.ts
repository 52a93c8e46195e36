import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import pg from 'pg';
import {
  findOutcome,
  PostgresConnection,
  type TransactionRef,
} from '../../../src/ledger/postgres/connection.ts';
import { PostgresDatabase, type PostgresOptions } from '../../../src/ledger/postgres/database.ts';
import type { Queryable } from '../../../src/ledger/sql/database.ts';
import { needs } from '../peers/peers.ts';
import { type PostgresServer, startPostgres } from '../peers/postgres.ts';
import { type PostgresProxy, startPostgresProxy } from '../support/postgres-proxy.ts';

/** The simple query message of a commit. */
const COMMIT = 'commit\0';

describe('A PostgreSQL connection that is cut at a commit', { skip: needs('postgresql') }, () => {
  let server: PostgresServer;
  let proxy: PostgresProxy;
  before(async () => {
    server = await startPostgres();
    proxy = await startPostgresProxy(server.port);
  });
  after(async () => {
    await proxy.close();
    await server.remove();
  });

  const withWords = async (
    work: (database: PostgresDatabase, words: () => Promise<string[]>, url: string) => Promise<void>,
    options: Partial<PostgresOptions> = {},
  ) => {
    const direct = await server.createSchema();
    const url = new URL(direct);
    url.port = String(proxy.port);
    await server.query(direct, 'create table words (word text)');
    const setup = new PostgresDatabase({ url: direct, sync: true });
    await setup.migrate();
    await setup.close();
    const database = new PostgresDatabase({ url: url.href, sync: true, ...options });
    const words = async () =>
      (await server.query(direct, 'select word from words')).rows.map(({ word }) => word);
    try {
      await work(database, words, direct);
    } finally {
      await database.close();
    }
  };

  /** Sets the synchronous standbys that a commit waits for; empty for none. */
  const setStandbys = async (url: string, names: string) => {
    await server.query(url, `alter system set synchronous_standby_names = '${names}'`);
    await server.query(url, 'select pg_reload_conf()');
  };

  /** Counts how often the transaction runs. */
  const insertWord = (word: string) => {
    const insert = async (q: Queryable) => {
      insert.runs += 1;
      await q.query('insert into words values ($1)', [word]);
      return word;
    };
    insert.runs = 0;
    return insert;
  };

  for (const durability of ['durable', 'lazy'] as const) {
    test(`before the server has it: the ${durability} transaction is repeated, once`, () =>
      withWords(async (database, words) => {
        const insert = insertWord('adieu');
        const cut = proxy.cutAt(COMMIT, 'before');
        const done = database.transaction(insert, durability);
        await cut;
        assert.equal(await done, 'adieu');
        assert.equal(insert.runs, 2);
        assert.deepEqual(await words(), ['adieu']);
      }));

    test(`after the server has executed it: the ${durability} transaction counts as done and is not repeated`, () =>
      withWords(async (database, words) => {
        const insert = insertWord('adieu');
        const cut = proxy.cutAt(COMMIT, 'after');
        const done = database.transaction(insert, durability);
        await cut;
        assert.equal(await done, 'adieu');
        assert.equal(insert.runs, 1);
        assert.deepEqual(await words(), ['adieu']);
      }));
  }

  test('several times: the transaction fails as not done after a few attempts', () =>
    withWords(async (database, words) => {
      const insert = insertWord('adieu');
      const cut = proxy.cutAt(COMMIT, 'before', 4);
      const done = assert.rejects(database.transaction(insert), { name: 'LedgerError', kind: 'unreachable' });
      await cut;
      await done;
      assert.equal(insert.runs, 4);
      assert.deepEqual(await words(), []);
    }));

  test('while the server stays away: the outcome is unknown, and the transaction is not repeated', () =>
    withWords(
      async (database, words) => {
        const insert = insertWord('adieu');
        const cut = proxy.cutAt(COMMIT, 'after');
        const done = database.transaction(insert);
        const failure = assert.rejects(done, { name: 'LedgerError', kind: 'unknown_outcome' });
        await cut;
        proxy.setDown(true);
        try {
          await failure;
        } finally {
          proxy.setDown(false);
        }
        assert.equal(insert.runs, 1);
        assert.deepEqual(await words(), ['adieu']);
      },
      { outcomeTimeoutMs: 300 },
    ));

  test('a commit that waits for an absent synchronous standby has an unknown outcome, and is not repeated', () =>
    withWords(
      async (database, words, url) => {
        const insert = insertWord('adieu');
        await setStandbys(url, 'verona');
        try {
          await assert.rejects(database.transaction(insert), {
            name: 'LedgerError',
            kind: 'unknown_outcome',
          });
        } finally {
          await setStandbys(url, '');
        }
        assert.equal(insert.runs, 1);
        while ((await words()).length === 0) await server.query(url, 'select pg_sleep(0.05)');
        assert.deepEqual(await words(), ['adieu']);
      },
      { statementTimeoutMs: 1_000, outcomeTimeoutMs: 300 },
    ));

  test('a commit that waits for a synchronous standby counts as done when the standby is back', () =>
    withWords(
      async (database, words, url) => {
        const insert = insertWord('adieu');
        await setStandbys(url, 'verona');
        const done = database.transaction(insert);
        // The client gives up on the statement after a second, and then asks for the outcome.
        const asked =
          "select 1 from pg_stat_activity where query ~ 'pg_xact_status|backend_xid' and pid <> pg_backend_pid()";
        while ((await server.query(url, asked)).rows.length === 0)
          await server.query(url, 'select pg_sleep(0.05)');
        await setStandbys(url, '');
        assert.equal(await done, 'adieu');
        assert.equal(insert.runs, 1);
        assert.deepEqual(await words(), ['adieu']);
      },
      { statementTimeoutMs: 1_000 },
    ));

  /** Cuts a commit that the server has executed, and restarts the server meanwhile. */
  const restartAtCommit = async (database: PostgresDatabase, stop: () => Promise<void>) => {
    const cut = proxy.cutAt(COMMIT, 'after');
    const done = database.transaction(insertWord('adieu'));
    done.catch(() => {});
    await cut;
    proxy.setDown(true);
    try {
      await stop();
      await server.start();
    } finally {
      proxy.setDown(false);
    }
    return await done;
  };

  test('and a restart of the server: the transaction counts as done', () =>
    withWords(async (database) => {
      assert.equal(await restartAtCommit(database, server.stop), 'adieu');
    }));

  test('and a crash of the server, which may have lost it: the outcome is unknown', () =>
    withWords(async (database) => {
      await assert.rejects(restartAtCommit(database, server.kill), { kind: 'unknown_outcome' });
    }));

  test('after a crash, a transaction that uses the id of a lost one is not taken for it', () =>
    withWords(async (_database, _words, url) => {
      const pool = new pg.Pool({ connectionString: url });
      const [one, other] = [
        new PostgresConnection(await pool.connect()),
        new PostgresConnection(await pool.connect()),
      ];
      const begin = async () => {
        await one.begin('lazy', 'always');
        assert.ok(one.transaction);
        return one.transaction;
      };
      const inOtherRun = (ref: TransactionRef) =>
        findOutcome(other, { ...ref, serverRun: 'before the crash' });
      try {
        const running = await begin();
        assert.equal(await inOtherRun(running), 'aborted');
        assert.equal(await inOtherRun({ ...running, id: String(BigInt(running.id) + 1_000n) }), 'aborted');
        await one.rollback();
        assert.equal(await inOtherRun(running), 'aborted');
        const committed = await begin();
        await one.commit(undefined);
        assert.equal(await findOutcome(other, committed), 'committed');
        assert.equal(await inOtherRun(committed), 'unknown');
      } finally {
        one.release(true);
        other.release(true);
        await pool.end();
      }
    }));

  test('a connection that has become read-only, as after a failover, is replaced', () =>
    withWords(
      async (database, words) => {
        const insert = insertWord('adieu');
        await database.query('set default_transaction_read_only = on');
        await database.transaction(insert);
        assert.equal(insert.runs, 2);
        assert.deepEqual(await words(), ['adieu']);
      },
      { connections: 1 },
    ));

  test('one read-only connection replaces all connections that were opened before', () =>
    withWords(
      async (database) => {
        const pids = async () => {
          const all = Array.from({ length: 3 }, () =>
            database.query<{ pid: number }>('select pg_backend_pid() as pid, pg_sleep(0.2)'),
          );
          return new Set((await Promise.all(all)).flat().map(({ pid }) => pid));
        };
        const before = await pids();
        assert.equal(before.size, 3);
        await database.transaction(async (q) => {
          // The last connection that was returned is the next one that is taken.
          await q.query('set session characteristics as transaction read only');
        });
        await database.transaction(insertWord('adieu'));
        assert.equal((await pids()).intersection(before).size, 0);
      },
      { connections: 3 },
    ));

  test('prepared statements have names that mean the same SQL in every process', () =>
    withWords(async (database, _, url) => {
      const names = async (q: Queryable) =>
        (
          await q.query<{ name: string; statement: string }>(
            'select name, statement from pg_prepared_statements',
          )
        )
          .filter(({ name }) => name.startsWith('porter_'))
          .map(({ name, statement }) => `${name} ${statement}`);
      const other = new PostgresDatabase({ url, sync: true });
      try {
        const use = async (db: PostgresDatabase, statements: readonly string[]) =>
          await db.transaction(async (q) => {
            for (const sql of statements) await q.query(sql);
            return new Set(await names(q));
          });
        const one = await use(database, ['select 1', 'select 2']);
        const reverse = await use(other, ['select 2', 'select 1']);
        assert.deepEqual(one, reverse);
      } finally {
        await other.close();
      }
    }));
});
