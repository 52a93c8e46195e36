import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { after, before, describe, test } from 'node:test';
import type { Ledger, ReserveResult } from '../../../src/ledger/contract/ledger.ts';
import { PostgresDatabase } from '../../../src/ledger/postgres/database.ts';
import { openPostgresLedger } from '../../../src/ledger/postgres/open.ts';
import type { Queryable } from '../../../src/ledger/sql/database.ts';
import { createLedger } from '../../../src/ledger/sql/methods.ts';
import { reserveSlot } from '../../../src/ledger/sql/reserve.ts';
import { checkCounters, issue, JULIET, NOW, reservation, store } from '../../conformance/ledger/fixture.ts';
import { httpRequest } from '../../support/http.ts';
import { needs } from '../peers/peers.ts';
import { type PostgresServer, startPostgres } from '../peers/postgres.ts';
import { startPorter } from '../support/porter-process.ts';
import { getSlot, openSlotConfig, uploadFile as upload } from '../support/slots.ts';

describe('The ledger in a real PostgreSQL', { skip: needs('postgresql') }, () => {
  let server: PostgresServer;
  before(async () => {
    server = await startPostgres();
  });
  after(() => server.remove());

  const open = (url: string) => openPostgresLedger({ url, sync: true });
  const withLedgers = async (ledgers: readonly Ledger[], work: () => Promise<void>) => {
    try {
      await work();
    } finally {
      await Promise.all(ledgers.map((ledger) => ledger.close()));
    }
  };

  test('two processes can open an empty database at the same time', async () => {
    const url = await server.createSchema();
    const [one, other, ...rest] = await Promise.all([open(url), open(url), open(url), open(url)]);
    await withLedgers([one, other, ...rest], async () => {
      const id = await issue(one);
      assert.equal((await other.find(id))?.state, 'issued');
      const { rows } = await server.query(url, 'select version from migrations');
      assert.equal(new Set(rows.map(({ version }) => version)).size, rows.length);
    });
  });

  test('a database of a newer version is refused and left unchanged', async () => {
    const url = await server.createSchema();
    await (await open(url)).close();
    await server.query(url, "insert into migrations values (9001, 'from_the_future', 0)");
    await assert.rejects(open(url), { name: 'LedgerError', kind: 'newer', message: /migration 9001/ });
  });

  test('a wrong password is reported, without the password', async () => {
    const url = new URL(await server.createSchema());
    url.password = 'through yonder window';
    await assert.rejects(open(url.href), (fault: Error) => {
      assert.ok('kind' in fault && fault.kind === 'denied');
      assert.match(fault.message, /rejected the login.*"porter"/);
      assert.doesNotMatch(fault.message, /yonder/);
      return true;
    });
  });

  test('a missing database is reported', async () => {
    const url = new URL(await server.createSchema());
    url.pathname = '/verona';
    await assert.rejects(open(url.href), { kind: 'denied', message: /"verona" does not exist/ });
  });

  test('two instances with many concurrent requests grant exactly the quota', async () => {
    const url = await server.createSchema();
    const ledgers = [await open(url), await open(url)];
    await withLedgers(ledgers, async () => {
      // Twice as many at once as an instance has connections. More would wait for one longer than the limit on a slow machine.
      const askInTurn = async (ledger: Ledger) => {
        const answers: ReserveResult[] = [];
        for (let i = 0; i < 5; i += 1)
          answers.push(await ledger.reserve(reservation({ limits: { ownerBytes: 10_000 } })));
        return answers;
      };
      const asked = ledgers.flatMap((ledger) => Array.from({ length: 20 }, () => askInTurn(ledger)));
      const answers = (await Promise.all(asked)).flat();
      assert.equal(answers.filter(({ granted }) => granted).length, 100);
      for (const ledger of ledgers) await checkCounters(ledger);
    });
  });

  test('of two instances that reserve the same link, one succeeds', async () => {
    const url = await server.createSchema();
    const ledgers = [await open(url), await open(url)];
    await withLedgers(ledgers, async () => {
      for (let round = 0; round < 20; round += 1) {
        const locator = `external/${round}`;
        const asked = ledgers.map((ledger) => ledger.reserve(reservation({ upload: { locator } })));
        const answers = await Promise.all(asked);
        assert.deepEqual(answers.map(({ granted }) => granted).sort(), [false, true]);
      }
    });
  });

  test('forgetting an owner while another instance grants a slot leaves no slot without an owner', async () => {
    const url = await server.createSchema();
    const ledger = await open(url);
    const other = new PostgresDatabase({ url, sync: true });
    await withLedgers([ledger, createLedger(other)], async () => {
      const id = await store(ledger);
      await ledger.remove({ ids: [id], reason: 'deleted', detail: '', now: NOW });
      const { forgotten } = await other.transaction(async (q) => {
        assert.deepEqual(await reserveSlot(q, reservation()), { granted: true });
        const forgotten = ledger.forget({ owner: JULIET, limit: 10, now: NOW });
        await q.query('select pg_sleep(0.2)');
        return { forgotten };
      });
      const { removed, left } = await forgotten;
      assert.deepEqual({ removed, left }, { removed: 1, left: 0 });
      await checkCounters(ledger);
    });
  });

  /** A database below the ledger, with migrated tables. */
  const openDatabase = async (url: string, options: { connections?: number } = {}) => {
    const database = new PostgresDatabase({ url, sync: true, ...options });
    await database.migrate();
    return database;
  };

  test('transactions that deadlock are retried and succeed', async () => {
    const url = await server.createSchema();
    const database = await openDatabase(url);
    try {
      await database.query('create table pairs (id integer primary key, count integer not null)');
      await database.query('insert into pairs values (1, 0), (2, 0)');
      const both = (first: number, second: number) =>
        database.transaction(async (q) => {
          await q.query('update pairs set count = count + 1 where id = $1', [first]);
          await q.query('select pg_sleep(0.01)');
          await q.query('update pairs set count = count + 1 where id = $1', [second]);
        });
      await Promise.all([both(1, 2), both(2, 1), both(1, 2), both(2, 1)]);
      assert.deepEqual(await database.query('select count from pairs'), [{ count: 4 }, { count: 4 }]);
    } finally {
      await database.close();
    }
  });

  /** Terminates the connection of a running transaction. */
  const cutOff = async (url: string, q: Queryable) => {
    const [row] = await q.query<{ pid: number }>('select pg_backend_pid() as pid');
    await server.query(url, `select pg_terminate_backend(${row?.pid}, 5000)`);
  };

  const withWords = async (work: (database: PostgresDatabase, url: string) => Promise<void>) => {
    const url = await server.createSchema();
    const database = await openDatabase(url);
    try {
      await database.query('create table words (word text)');
      await work(database, url);
    } finally {
      await database.close();
    }
  };
  const say = (q: Queryable) => q.query("insert into words values ('adieu')");

  test('a transaction whose connection is lost is retried', () =>
    withWords(async (database, url) => {
      let tries = 0;
      await database.transaction(async (q) => {
        tries += 1;
        await say(q);
        if (tries === 1) await cutOff(url, q);
        await say(q);
      });
      assert.equal(tries, 2);
      assert.equal((await database.query('select word from words')).length, 2);
    }));

  test('a transaction whose connection is lost at the commit, before the server has it, is retried', () =>
    withWords(async (database, url) => {
      let tries = 0;
      await database.transaction(async (q) => {
        tries += 1;
        await say(q);
        if (tries === 1) await cutOff(url, q);
      });
      assert.equal(tries, 2);
      assert.equal((await database.query('select word from words')).length, 1);
    }));

  test('a commit waits for the disk, unless the method is lazy or sync is off', () =>
    withWords(async (database, url) => {
      const flushes = async (q: Queryable) => {
        const [row] = await q.query<{ value: string }>(
          "select current_setting('synchronous_commit') as value",
        );
        return row?.value;
      };
      assert.equal(await database.transaction(flushes), 'on');
      assert.equal(await database.transaction(flushes, 'lazy'), 'off');
      assert.equal(await database.transaction(flushes), 'on');
      const careless = new PostgresDatabase({ url, sync: false });
      assert.equal(await careless.transaction(flushes), 'off');
      await careless.close();
    }));

  test('a failed transaction changes nothing, and its connection is reused', async () => {
    const url = await server.createSchema();
    const database = await openDatabase(url, { connections: 1 });
    try {
      await database.query('create table words (word text)');
      const failing = database.transaction(async (q) => {
        await q.query("insert into words values ('wherefore')");
        throw new Error('art thou');
      });
      await assert.rejects(failing, /art thou/);
      await assert.rejects(database.query('select no_such_column from words'), { name: 'LedgerError' });
      assert.deepEqual(await database.query('select word from words'), []);
    } finally {
      await database.close();
    }
  });

  test('a schema change by a newer version does not break prepared statements', async () => {
    const url = await server.createSchema();
    const ledger = await open(url);
    await withLedgers([ledger], async () => {
      const id = await store(ledger);
      assert.equal((await ledger.find(id))?.state, 'stored');
      await server.query(url, 'alter table uploads add column colour text');
      assert.equal((await ledger.find(id))?.state, 'stored');
    });
  });

  test('a restart of the server delays work and loses nothing that was acknowledged', async () => {
    const url = await server.createSchema();
    const ledger = await open(url);
    await withLedgers([ledger], async () => {
      const stored: string[] = [];
      let stopping = false;
      const streams = Array.from({ length: 6 }, async () => {
        while (!stopping) {
          // A commit with an unknown outcome is not acknowledged, so the caller retries.
          await store(ledger).then(
            (id) => stored.push(id),
            (fault) => assert.equal(fault.kind, 'unknown_outcome'),
          );
        }
      });
      const several = async () => {
        const wanted = stored.length + 20;
        while (stored.length < wanted) await store(ledger).then((id) => stored.push(id));
      };
      try {
        await several();
        await server.stop();
        await server.start();
        await several();
      } finally {
        stopping = true;
        await Promise.all(streams);
      }
      const states = await Promise.all(stored.map(async (id) => (await ledger.find(id))?.state));
      assert.deepEqual(new Set(states), new Set(['stored']));
      assert.ok((await ledger.usage(JULIET)).uploads >= stored.length);
      await checkCounters(ledger);
    });
  });

  test('Porter keeps files and open slots over a restart, and its commands work', async () => {
    const ledger = await server.createSchema();
    const config = { ...openSlotConfig, storage: { ledger } };
    const first = await startPorter({ config });
    const { folder, port } = first;
    try {
      const body = randomBytes(100_000);
      const get = await upload(first, body);
      const slot = await getSlot(first, { size: body.length });
      assert.equal((await httpRequest(`${first.url}/readyz`)).status, 200);
      assert.deepEqual(await first.stop(), { code: 0, signal: null });

      const second = await startPorter({ folder, port, config });
      try {
        assert.ok((await httpRequest(get)).body.equals(body));
        assert.equal((await httpRequest(slot.put, { method: 'PUT', body })).status, 201);
        const { code, stdout, stderr } = await second.runCommand('fsck');
        assert.equal(code, 0, stdout + stderr);
      } finally {
        await second.stop();
      }
    } finally {
      await first.remove();
    }
  });
});
