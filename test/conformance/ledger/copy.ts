import assert from 'node:assert/strict';
import { describe } from 'node:test';
import {
  COPIED_TABLES,
  type CopiedRow,
  type CopiedTable,
  type Ledger,
  LedgerError,
  type RowKey,
  rowKey,
} from '../../../src/ledger/contract/ledger.ts';
import { pendingKeys } from '../../support/pending-keys.ts';
import {
  attempt,
  checkCounters,
  claimSlot,
  HOUR,
  heartbeatOf,
  issue,
  JULIET,
  ledgerTest,
  NOW,
  type OpenTestLedger,
  ROMEO,
  refused,
  reservation,
  store,
  storeSlot,
} from './fixture.ts';

const isMoved = (error: unknown) => error instanceof LedgerError && error.kind === 'moved';

/** Reads all rows of a table in small ranges. */
async function readAllRows(ledger: Ledger, table: CopiedTable): Promise<CopiedRow[]> {
  const rows: CopiedRow[] = [];
  for (let after: RowKey | null = null; ; ) {
    const upTo: RowKey | null = await ledger.findRangeEnd({ table, after, rows: 2 });
    rows.push(...(await ledger.readRowRange({ table, after, upTo })));
    if (upTo === null) return rows;
    after = upTo;
  }
}

const digestOf = async (ledger: Ledger) => {
  const digests = COPIED_TABLES.map((table) => ledger.rangeDigest({ table, after: null, upTo: null }));
  return (await Promise.all(digests)).join('\n');
};

async function copyAll(from: Ledger, to: Ledger): Promise<void> {
  await to.setMigrationState('importing');
  for (const table of COPIED_TABLES) await to.upsertRows({ table, rows: await readAllRows(from, table) });
  await to.setMigrationState('open');
}

const limits = { bytesPer: { period: HOUR, bytes: 5000 }, uploadsPer: { period: HOUR, uploads: 50 } };
const LINK = 'external:link';

/** Creates rows in every table. */
async function fillAllTables(ledger: Ledger) {
  const file = await store(ledger, { limits, upload: { purpose: 'profile', expiresAt: NOW + HOUR } });
  const slot = await issue(ledger, { limits });
  const claimed = await issue(ledger, { limits });
  await claimSlot(ledger, claimed);
  const signed = reservation({ putKey: null, upload: { locator: LINK, owner: ROMEO } });
  await ledger.reserve({ ...signed, claim: { instance: 'here', token: 'signed' } });
  await ledger.commit({ ...attempt(signed.upload.id, 'signed'), now: NOW, size: 100 });
  const removed = await store(ledger);
  await ledger.remove({ ids: [removed], reason: 'deleted', detail: '', now: NOW });
  await ledger.addOldPath({ path: '/upload/', namespace: 'external' });
  await ledger.chargeMessageRate({ key: 'counter', period: HOUR, limit: 9, count: 2, now: NOW });
  const request = { owner: JULIET, key: 'k', digest: 'd', instance: 'here', now: NOW, expiresAt: NOW + HOUR };
  await ledger.beginRequest({ ...request, limit: 9 });
  const item = { queue: 'outbox', queueKey: 'a', owner: JULIET, body: 'hello' } as const;
  await ledger.enqueue({ ...item, now: NOW, giveUpAt: NOW + HOUR, limit: 9 });
  const own = { id: 'i', secretHash: 'h', jid: JULIET, createdAt: NOW, expiresAt: NOW + HOUR };
  await ledger.createToken({ token: { ...own, name: 'n', scopes: ['share'], lastUsedAt: null }, limit: 1 });
  const used = { maxBytes: null, maxFiles: 2, usedBytes: 1, usedFiles: 1 };
  await ledger.createGuestLink({ link: { ...own, ...used, note: 'n' }, limit: 1 });
  const action = {
    actor: JULIET,
    address: '::1',
    action: 'delete_files',
    subject: ROMEO,
    files: 1,
    bytes: 2,
  };
  await ledger.recordUsage({ now: NOW });
  await ledger.recordAudit({ id: 'i', at: NOW, ...action });
  await ledger.addDailyCounts({ day: NOW, uploads: 1, downloads: 2, refusals: 3 });
  const call = { hook: 'h', at: NOW, status: 201, address: '::1', program: 'p', refusal: '' };
  await ledger.recordHookCalls([call]);
  await ledger.blockHash({ sha256: 'a', reason: 'r', blockedBy: JULIET, blockedAt: NOW, size: null });
  return { file, slot, claimed, removed, signed: signed.upload.id };
}

export function copySuite(open: OpenTestLedger): void {
  /** Runs a test with a ledger and a second, empty one of the same kind. */
  const copyTest = (title: string, work: (from: Ledger, to: Ledger) => Promise<void>) =>
    ledgerTest(open, title, async (from) => {
      const second = await open();
      await work(from, second.ledger).finally(() => second.close());
    });

  describe('copy of a ledger', () => {
    copyTest('has the same rows in every table', async (from, to) => {
      await fillAllTables(from);
      await copyAll(from, to);
      assert.equal(await digestOf(to), await digestOf(from));
      for (const table of COPIED_TABLES) {
        const rows = await readAllRows(from, table);
        assert.notEqual(rows.length, 0, table);
        assert.deepEqual(await readAllRows(to, table), rows, table);
        assert.equal(await to.countRows({ table }), rows.length, table);
        const keys = rows.map((row) => rowKey(table, row));
        assert.equal((await to.readRowsByKey({ table, keys })).length, rows.length, table);
      }
      await checkCounters(to);
      assert.deepEqual(await to.stats(), await from.stats());
    });

    copyTest('keeps slots, files, quotas, rates and removal records', async (from, to) => {
      const { file, slot, claimed, removed, signed } = await fillAllTables(from);
      await copyAll(from, to);
      assert.deepEqual(await to.find(file), await from.find(file));
      assert.equal((await to.find(LINK))?.id, signed);
      await storeSlot(to, slot);
      const spent = await refused(to, { limits: { uploadsPer: { period: HOUR, uploads: 3 } } });
      assert.equal(spent.used, 3);
      assert.equal((await to.findRemoval(removed))?.reason, 'deleted');
      assert.deepEqual(await to.listOldPaths(), await from.listOldPaths());
      // Claims are copied as abandoned, so the next PUT takes the slot over.
      await storeSlot(to, claimed);
      await checkCounters(to);
    });

    copyTest('blocks the locators of removed uploads', async (from, to) => {
      const { signed } = await fillAllTables(from);
      await from.remove({ ids: [signed], reason: 'deleted', detail: '', now: NOW });
      await copyAll(from, to);
      const answer = await to.reserve(reservation({ putKey: null, upload: { locator: LINK } }));
      assert.ok(!answer.granted && answer.limit === 'locator' && answer.removal);
    });

    ledgerTest(open, 'has a different digest after each change', async (ledger) => {
      const { file, slot } = await fillAllTables(ledger);
      const seen = new Set([await digestOf(ledger)]);
      const changes: (() => Promise<unknown>)[] = [
        () => issue(ledger),
        () => claimSlot(ledger, slot),
        () => ledger.release({ ...attempt(slot, `token of ${slot}`), now: NOW }),
        () => storeSlot(ledger, slot),
        () => ledger.remove({ ids: [file], reason: 'deleted', detail: '', now: NOW }),
        () => ledger.forget({ owner: ROMEO, limit: 9, now: NOW }),
      ];
      for (const [i, change] of changes.entries()) {
        await change();
        seen.add(await digestOf(ledger));
        assert.equal(seen.size, i + 2, String(change));
      }
    });

    copyTest('replaces conflicting rows of the target', async (from, to) => {
      await fillAllTables(from);
      const old = await store(to);
      const [owner] = await readAllRows(to, 'owners');
      const upload = reservation({ putKey: null, upload: { locator: LINK, owner: ROMEO } });
      await to.reserve({ ...upload, claim: { instance: 'here', token: 't' } });
      await to.setMigrationState('importing');
      await to.deleteRows({ table: 'uploads', keys: [[old]] });
      assert.equal(await to.find(old), undefined);
      assert.equal((await pendingKeys(to)).length, 1);
      // The target has the same owner names and the same locator under other ids.
      for (const table of COPIED_TABLES) await to.upsertRows({ table, rows: await readAllRows(from, table) });
      assert.equal((await to.readRowsByKey({ table: 'owners', keys: [[owner?.id ?? 0]] })).length, 0);
      assert.equal((await to.find(LINK))?.id, (await from.find(LINK))?.id);
      // The blobs of these two uploads, and the pending delete of the source.
      assert.equal((await pendingKeys(to)).length, 3);
    });

    ledgerTest(open, 'finds owners with wrong counters', async (ledger) => {
      await fillAllTables(ledger);
      const all = { after: null, upTo: null };
      assert.deepEqual(await ledger.findWrongCounters(all), []);
      await ledger.setMigrationState('importing');
      const [row] = await ledger.readRowsByKey({
        table: 'owners',
        keys: (await readAllRows(ledger, 'owners')).map(({ id }) => [id ?? 0]),
      });
      await ledger.upsertRows({ table: 'owners', rows: [{ ...row, bytes: 1 }] });
      assert.deepEqual(await ledger.findWrongCounters(all), [row?.name]);
    });
  });

  describe('migration state', () => {
    ledgerTest(open, 'is open at first, and then rejects writes of a copy', async (ledger) => {
      assert.equal(await ledger.migrationState(), 'open');
      await assert.rejects(ledger.upsertRows({ table: 'owners', rows: [] }), isMoved);
      await assert.rejects(ledger.deleteRows({ table: 'owners', keys: [] }), isMoved);
    });

    ledgerTest(open, 'closing: allows a commit, and rejects new work', async (ledger) => {
      const file = await store(ledger);
      const [slot, claimed] = [await issue(ledger), await issue(ledger)];
      await claimSlot(ledger, claimed);
      await ledger.setMigrationState('closing');
      await assert.rejects(issue(ledger), isMoved);
      await assert.rejects(claimSlot(ledger, slot), isMoved);
      await assert.rejects(ledger.remove({ ids: [file], reason: 'deleted', detail: '', now: NOW }), isMoved);
      assert.equal(
        await ledger.commit({ ...attempt(claimed, `token of ${claimed}`), now: NOW, size: 100 }),
        true,
      );
    });

    ledgerTest(open, 'moved: allows reads and heartbeats, and rejects all changes', async (ledger) => {
      const file = await store(ledger);
      const claimed = await issue(ledger);
      await claimSlot(ledger, claimed);
      await ledger.setMigrationState('moved');
      const order = { ...attempt(claimed, `token of ${claimed}`), now: NOW, size: 100 };
      await assert.rejects(ledger.commit(order), isMoved);
      await assert.rejects(ledger.sweep({ kind: 'unused', limit: 9, now: NOW + HOUR }), isMoved);
      await assert.rejects(ledger.forget({ owner: JULIET, limit: 9, now: NOW }), isMoved);
      assert.equal((await ledger.find(file))?.state, 'stored');
      assert.equal(await ledger.recount({ owner: JULIET, repair: false }), false);
      await ledger.heartbeat(heartbeatOf('here', NOW));
      await ledger.setMigrationState('open');
      assert.equal(await ledger.commit(order), true);
    });

    ledgerTest(open, 'changes for all processes after their running transactions', async (ledger, opened) => {
      const other = await opened.openAgain();
      let granted = 0;
      const busy = Array.from({ length: 4 }, async () => {
        for (;;) {
          const result = await other.reserve(reservation()).catch((error) => error);
          if (isMoved(result)) return;
          assert.equal(result.granted, true);
          granted += 1;
        }
      });
      while (granted < 20) await ledger.migrationState();
      await ledger.setMigrationState('moved');
      const { pendingUploads } = await ledger.stats();
      await Promise.all(busy);
      assert.equal((await ledger.stats()).pendingUploads, pendingUploads);
      assert.equal(pendingUploads, granted);
      await other.close();
    });
  });
}
