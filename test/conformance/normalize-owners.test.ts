import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { jidSha1, ownerFromSha1 } from '../../src/base/owners.ts';
import { type Ledger, unlimited } from '../../src/ledger/contract/ledger.ts';
import { PostgresDatabase } from '../../src/ledger/postgres/database.ts';
import type { Database } from '../../src/ledger/sql/database.ts';
import { createLedger } from '../../src/ledger/sql/methods.ts';
import { normalizeOwners, normalOwnerName } from '../../src/ledger/sql/normalize-owners.ts';
import { totalsShard } from '../../src/ledger/sql/quota/accounts.ts';
import { SqliteDatabase } from '../../src/ledger/sqlite/database.ts';
import { needs } from '../real/peers/peers.ts';
import { type PostgresServer, startPostgres } from '../real/peers/postgres.ts';
import { checkCounters, HOUR, issue, NOW, ROMEO, refused, store } from './ledger/fixture.ts';

/** Two spellings of Romeo that earlier versions kept apart. */
const SPELLINGS = ['ro\u00admeo@example.org', 'rom\u200deo@example.org'];
const RATE = { uploadsPer: { period: HOUR, uploads: 100 } };

type TestDatabase = Database & { migrate(): Promise<void> };

function suite(name: string, open: () => Promise<TestDatabase>): void {
  describe(`owners of an older ledger on ${name}`, () => {
    async function withLedger(work: (ledger: Ledger, db: TestDatabase) => Promise<void>): Promise<void> {
      const db = await open();
      try {
        await db.migrate();
        await work(createLedger(db), db);
      } finally {
        await db.close();
      }
    }

    /** Stores files under each name, as earlier versions did, and marks the ledger as not normalized. */
    async function fill(ledger: Ledger, db: Database): Promise<string[]> {
      const stored: string[] = [];
      for (const owner of [...SPELLINGS, ROMEO]) {
        for (const purpose of ['', 'profile', 'profile']) {
          stored.push(await store(ledger, { upload: { owner, purpose }, limits: RATE }));
        }
        await issue(ledger, { upload: { owner, purpose: 'ephemeral' }, limits: RATE });
        const removed = await store(ledger, { upload: { owner } });
        await ledger.remove({ ids: [removed], reason: 'deleted', detail: '', now: NOW });
        const request = {
          owner,
          key: 'k',
          digest: owner,
          instance: 'here',
          now: NOW,
          expiresAt: NOW + HOUR,
          limit: 100,
        };
        await ledger.beginRequest(request);
        await ledger.beginRequest({ ...request, key: `k ${owner.length}` });
        await ledger.chargeMessageRate({ key: owner, period: HOUR, limit: 10, count: 2, now: NOW });
        const item = {
          queue: 'outbox',
          queueKey: owner,
          owner,
          body: '{}',
          now: NOW,
          giveUpAt: NOW,
        } as const;
        for (let n = 0; n < 3; n += 1) await ledger.enqueue({ ...item, limit: 100 });
      }
      await db.query("insert into pending_steps (step) values ('normalize_owners')");
      return stored;
    }

    async function checkMerged(ledger: Ledger, db: Database, stored: readonly string[]): Promise<void> {
      assert.deepEqual(
        (await ledger.listOwners({ limit: 99 })).map(({ owner }) => owner),
        [ROMEO],
      );
      for (const id of stored) assert.equal((await ledger.find(id))?.owner, ROMEO);
      const usage = await ledger.usage(ROMEO);
      assert.deepEqual(
        [usage.uploads, usage.bytes, usage.pendingUploads, usage.pendingBytes],
        [9, 900, 3, 300],
      );
      assert.equal((await ledger.listRemovals({ owner: ROMEO, limit: 99 })).length, 3);
      await checkCounters(ledger);
      const shards = await db.query<{ shard: number; uploads: number }>(
        'select shard, uploads from totals where uploads <> 0 or pending_uploads <> 0 or owners <> 0',
      );
      const [owner] = await db.query<{ id: number }>('select id from owners');
      assert.deepEqual(
        shards.map(({ shard, uploads }) => [shard, uploads]),
        [[totalsShard(owner?.id ?? 0), 9]],
      );
      const profile = await refused(ledger, {
        upload: { owner: ROMEO, purpose: 'profile' },
        limits: { ...unlimited, purposeBytes: 650 },
      });
      assert.deepEqual([profile.limit, profile.used], ['purposeBytes', 600]);
      const rate = await refused(ledger, {
        upload: { owner: ROMEO },
        limits: { ...unlimited, uploadsPer: { period: HOUR, uploads: 12 } },
      });
      assert.deepEqual([rate.limit, rate.used], ['uploadsPer', 12]);
      const charge = { key: ROMEO, period: HOUR, count: 1, now: NOW };
      assert.equal((await ledger.chargeMessageRate({ ...charge, limit: 6 })).outcome, 'over');
      assert.equal((await ledger.chargeMessageRate({ ...charge, limit: 7 })).outcome, 'ok');
      for (const table of ['queue_items', 'idempotency_keys']) {
        const owners = await db.query<{ owner: string }>(`select distinct owner from ${table}`);
        assert.deepEqual(
          owners.map(({ owner }) => owner),
          [ROMEO],
          table,
        );
      }
      assert.equal(await ledger.queueLength('outbox'), 9);
      const digests = await db.query<{ digest: string }>(
        "select request_digest as digest from idempotency_keys where key = 'k'",
      );
      assert.deepEqual(
        digests.map(({ digest }) => digest),
        [ROMEO],
      );
      assert.deepEqual(await db.query('select step from pending_steps'), []);
    }

    test('become one owner with all files, counters, rates, records and messages', () =>
      withLedger(async (ledger, db) => {
        const stored = await fill(ledger, db);
        await normalizeOwners(db, 2);
        await checkMerged(ledger, db, stored);
        await normalizeOwners(db, 2);
      }));

    test('are merged in small transactions, which continue after an interruption', () =>
      withLedger(async (ledger, db) => {
        const stored = await fill(ledger, db);
        for (let run = 0; run < 500; run += 1) {
          let transactions = 0;
          const interrupted: Database = {
            nowSql: db.nowSql,
            isConcurrent: db.isConcurrent,
            query: (sql, params) => db.query(sql, params),
            execute: (sql, params) => db.execute(sql, params),
            exclusive: (work) => db.exclusive(work),
            close: async () => undefined,
            transaction(work, ...rest) {
              transactions += 1;
              if (transactions > 1) throw new Error('killed');
              return db.transaction(work, ...rest);
            },
          };
          const isDone = await normalizeOwners(interrupted, 1).then(
            () => true,
            () => false,
          );
          await checkCounters(ledger);
          if (isDone) {
            assert.ok(run > 15, `${run} transactions`);
            break;
          }
        }
        await checkMerged(ledger, db, stored);
      }));

    test('are renamed if the normalized name is new, or known by its hash only', () =>
      withLedger(async (ledger, db) => {
        const hashed = await store(ledger, { upload: { owner: ownerFromSha1(jidSha1(ROMEO)) } });
        const soft = await store(ledger, { upload: { owner: 'ro\u00admeo@example.org' } });
        const punycode = await store(ledger, { upload: { owner: 'x@xn--mnchen-3ya.example' } });
        const external = await store(ledger, { upload: { owner: 'external' } });
        await db.query("insert into pending_steps (step) values ('normalize_owners')");
        await normalizeOwners(db);
        for (const id of [hashed, soft]) assert.equal((await ledger.find(id))?.owner, ROMEO);
        assert.equal((await ledger.find(punycode))?.owner, 'x@m\u00fcnchen.example');
        assert.equal(
          await ledger.findOwnerBySha1(jidSha1('x@m\u00fcnchen.example')),
          'x@m\u00fcnchen.example',
        );
        assert.equal((await ledger.find(external))?.owner, 'external');
        await checkCounters(ledger);
      }));

    test('are not changed while porter move copies the ledger', () =>
      withLedger(async (ledger, db) => {
        await fill(ledger, db);
        await ledger.setMigrationState('closing');
        await normalizeOwners(db);
        assert.equal((await ledger.listOwners({ limit: 99 })).length, 3);
      }));
  });
}

describe('SQLite files', () => {
  let folder: string;
  let count = 0;
  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'porter-owners-'));
  });
  after(() => rm(folder, { recursive: true }));

  suite('SQLite', async () => {
    count += 1;
    return new SqliteDatabase({ file: join(folder, `${count}.db`), sync: false });
  });
});

describe('PostgreSQL server', { skip: needs('postgresql') }, () => {
  let server: PostgresServer;
  before(async () => {
    server = await startPostgres();
  });
  after(() => server.remove());

  suite('PostgreSQL', async () =>
    new PostgresDatabase({ url: await server.createSchema(), sync: false, connections: 2 }));
});

test('accounts that a server may distinguish have different normal names', () => {
  const names = [
    'romeo@example.org',
    'stra\u00dfe@example.org',
    'external',
    'import:prosody',
    `sha1:${'a'.repeat(40)}`,
    'node:M\u00fcller',
    '\u03c2@b',
  ];
  for (const name of names) assert.equal(normalOwnerName(name), name);
  assert.equal(normalOwnerName('jul\u00adiet@example.org'), 'juliet@example.org');
  assert.equal(
    normalOwnerName('\u265a@example.org'),
    '\u265a@example.org',
    'a name that cannot be made valid is not changed',
  );
});
