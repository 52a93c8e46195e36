import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import type { SweepStep } from '../../../src/ledger/contract/ledger.ts';
import type { Queryable, SqlValue } from '../../../src/ledger/sql/database.ts';
import { createLedger } from '../../../src/ledger/sql/methods.ts';
import { SqliteDatabase } from '../../../src/ledger/sqlite/database.ts';
import {
  claimSlot,
  DAY,
  HOUR,
  issue,
  JULIET,
  lifetimes,
  NOW,
  refused,
  reservation,
  store,
  storeSlot,
} from '../../conformance/ledger/fixture.ts';
import { pendingKeys } from '../../support/pending-keys.ts';

/** Scans of tables that grow. Only `recount` may read all rows of an owner, and sort them by purpose. */
const SCANS =
  /SCAN (uploads|owners|owner_purposes|removals|upload_rates|queue_items|queue_keys|idempotency_keys|message_rates)(?! USING)/;
/** Merged ranges, each with its own limit. */
const MERGED = /SCAN part\d+\nUSE TEMP B-TREE FOR ORDER BY/g;
const RECOUNT = /group by purpose/;
const BATCH = /uploads where (uploads\.)?id in \(/;

describe('query plans of the ledger', () => {
  let folder = '';
  let db: SqliteDatabase;
  const statements = new Set<string>();

  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'porter-ledger-'));
    db = new SqliteDatabase({ file: join(folder, 'porter.db'), sync: false });
    await db.migrate();
    await callAllMethods();
  });
  after(async () => {
    await db.close();
    await rm(folder, { recursive: true });
  });

  const recordStatements = (q: Queryable): Queryable => ({
    nowSql: q.nowSql,
    isConcurrent: q.isConcurrent,
    async query<Row>(sql: string, params?: readonly SqlValue[]) {
      statements.add(sql);
      return await q.query<Row>(sql, params);
    },
    async execute(sql: string, params?: readonly SqlValue[]) {
      statements.add(sql);
      return await q.execute(sql, params);
    },
  });

  async function callAllMethods(): Promise<void> {
    const ledger = createLedger({
      ...recordStatements(db),
      transaction: (work, ...how) => db.transaction((q) => work(recordStatements(q)), ...how),
      exclusive: (work) => db.exclusive((q) => work(recordStatements(q))),
      close: () => db.close(),
    });
    const limits = {
      ownerBytes: 1000,
      ownerFiles: 50,
      purposeBytes: 900,
      globalBytes: 2000,
      bytesPer: { period: HOUR, bytes: 5000 },
      uploadsPer: { period: DAY, uploads: 10 },
    };
    await store(ledger, { upload: { size: 500, expiresAt: NOW + DAY }, limits });
    await store(ledger, { upload: { size: 1, purpose: 'profile' } });
    const slot = await issue(ledger, { upload: { size: 400 }, limits });
    for (const evict of [true, false]) await refused(ledger, { upload: { size: 990 }, limits, evict });
    await refused(ledger, { limits: { ...limits, uploadsPer: { period: HOUR, uploads: 1 } } });
    await refused(ledger, { limits: { ...limits, ownerFiles: 1, uploadsPer: null, bytesPer: null } });
    await refused(ledger, { upload: { size: 200 }, limits: { globalBytes: 1000 } });
    await ledger.reserve(reservation({ upload: { size: 600 }, limits, evict: true }));
    await ledger.reserve(reservation({ limits: { ownerFiles: 2 }, evict: true }));
    await storeSlot(ledger, slot, { size: 300 });
    const claim = { by: { locator: 'external:abc' }, token: 't', instance: 'dead', now: NOW };
    await ledger.claim(claim);
    for (const deadline of [NOW + 1, NOW + 30 * DAY])
      await claimSlot(ledger, await issue(ledger, { upload: { deadline } }));
    const step = {
      limit: 5,
      now: NOW + DAY,
      lifetimes,
      bytes: 50,
      purpose: '',
      maxAge: DAY,
      detail: '',
    };
    const more = { ...step, ledgerTime: NOW + HOUR, removedBefore: NOW + DAY };
    for (const dryRun of [true, false]) {
      const kinds = [
        'dead_claims',
        'unused',
        'expires_at',
        'max_age',
        'soft_quota',
        'records',
        'upload_rates',
        'message_rates',
        'idempotency_keys',
      ] as const;
      for (const kind of kinds) {
        await store(ledger, { upload: { expiresAt: NOW + 1 } });
        await issue(ledger);
        await ledger.sweep({ ...more, kind, dryRun } as SweepStep);
      }
    }
    await callMessageMethods(ledger);
    await callReads(ledger);
    await ledger.remove({ ids: [await store(ledger), slot], reason: 'deleted', detail: '', now: NOW });
    await ledger.confirmDeleted(await pendingKeys(ledger));
    await ledger.forget({ owner: JULIET, limit: 3, now: NOW });
  }

  async function callMessageMethods(ledger: ReturnType<typeof createLedger>): Promise<void> {
    const later = { now: NOW, giveUpAt: NOW + DAY, limit: 9, takenUntil: NOW + HOUR, instance: 'here' };
    for (let i = 0; i < 3; i += 1) {
      await ledger.enqueue({ queue: 'outbox', queueKey: 'key', owner: JULIET, body: '', ...later });
    }
    const [first] = await ledger.takeDue({ queue: 'outbox', ...later });
    assert.ok(first);
    await ledger.postpone({ ...first, instance: 'here', retryAt: NOW, countsAsAttempt: true });
    await ledger.removeQueued(first);
    await ledger.removeInstances(['here']);
    await ledger.hasQueued({ queue: 'outbox', queueKey: 'key' });
    await ledger.queueLength('outbox');
    const request = { owner: JULIET, key: 'k' };
    for (let i = 0; i < 2; i += 1) {
      await ledger.beginRequest({ ...request, digest: 'd', expiresAt: NOW + DAY, ...later, limit: 9 });
    }
    await ledger.finishRequest({ ...request, response: '' });
    await ledger.dropRequest(request);
    await ledger.chargeMessageRate({ key: 'k', period: HOUR, limit: 9, count: 1, now: NOW });
  }

  async function callReads(ledger: ReturnType<typeof createLedger>): Promise<void> {
    await Promise.all([
      ledger.find('x'),
      ledger.findByPutKey('x'),
      ledger.findRemoval('x'),
      ledger.findExistingIds(['x']),
    ]);
    for (const after of [{}, { after: 'a' }]) {
      await ledger.listUploads({ limit: 3, owner: JULIET, ...after });
      await ledger.listUploads({ limit: 3, state: 'issued', ...after });
      await ledger.listUploads({ limit: 3, ...after });
      for (const state of ['stored', 'issued'] as const) {
        await ledger.listUploads({ limit: 3, newestFirst: true, state, ...after });
        await ledger.listUploads({ limit: 3, newestFirst: true, state, owner: JULIET, ...after });
      }
      await ledger.listOwners({ limit: 3, ...after });
    }
    await ledger.listRemovals({ limit: 3, before: { removedAt: NOW, locator: 'x' } });
    await ledger.listRemovals({ limit: 3, owner: JULIET });
    await ledger.listRemovals({ limit: 3, reason: 'deleted' });
    await Promise.all([ledger.usage(JULIET), ledger.stats()]);
    await ledger.recount({ owner: JULIET, repair: false });
  }

  const planOf = async (sql: string) => {
    const steps = await db.query<{ detail: string }>(`explain query plan ${sql}`);
    return steps.map(({ detail }) => detail).join('\n');
  };

  test('no statement scans a table that grows', async () => {
    assert.ok(statements.size > 60, `only ${statements.size} statements were seen`);
    for (const sql of statements) assert.doesNotMatch(await planOf(sql), SCANS, sql);
  });

  test('a batch of uploads is found by their ids', async () => {
    const batches = [...statements].filter((sql) => BATCH.test(sql));
    assert.ok(batches.length > 3);
    for (const sql of batches) assert.match(await planOf(sql), /SEARCH uploads USING .*\(id=\?\)/, sql);
  });

  test('rows are read in index order and not sorted, except rows with equal times', async () => {
    for (const sql of [...statements].filter((one) => !RECOUNT.test(one))) {
      const plan = (await planOf(sql)).replaceAll(MERGED, '');
      const sorts = plan.match(/USE TEMP B-TREE FOR (?!LAST TERM).*/g) ?? [];
      assert.deepEqual(sorts, [], sql);
    }
  });
});
