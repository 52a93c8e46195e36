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
import {
  checkCounters,
  claimSlot,
  HOUR,
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

const moved = (fault: unknown) => fault instanceof LedgerError && fault.kind === 'moved';

/** All rows of a table, walked in small steps. */
async function rowsOf(ledger: Ledger, table: CopiedTable): Promise<CopiedRow[]> {
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

async function carryAll(from: Ledger, to: Ledger): Promise<void> {
  await to.setMigrationState('importing');
  for (const table of COPIED_TABLES) await to.upsertRows({ table, rows: await rowsOf(from, table) });
  await to.setMigrationState('open');
}

const limits = { bytesPer: { period: HOUR, bytes: 5000 }, uploadsPer: { period: HOUR, uploads: 50 } };
const LINK = 'external:link';

/** Something of everything that a ledger keeps. */
async function live(ledger: Ledger) {
  const file = await store(ledger, { limits, upload: { purpose: 'profile', expiresAt: NOW + HOUR } });
  const slot = await issue(ledger, { limits });
  const held = await issue(ledger, { limits });
  await claimSlot(ledger, held);
  const signed = reservation({ putKey: null, upload: { locator: LINK, owner: ROMEO } });
  await ledger.reserve({ ...signed, claim: { instance: 'here', token: 'signed' } });
  await ledger.commit({ id: signed.upload.id, token: 'signed', now: NOW, size: 100 });
  const gone = await store(ledger);
  await ledger.remove({ ids: [gone], reason: 'deleted', detail: '', now: NOW });
  await ledger.addOldPath({ path: '/upload/', namespace: 'external' });
  await ledger.chargeMessageRate({ key: 'somebody', period: HOUR, limit: 9, count: 2, now: NOW });
  const request = { owner: JULIET, key: 'k', digest: 'd', instance: 'here', now: NOW, expiresAt: NOW + HOUR };
  await ledger.beginRequest(request);
  const letter = { queue: 'outbox', queueKey: 'a', owner: JULIET, body: 'hello' } as const;
  await ledger.enqueue({ ...letter, now: NOW, giveUpAt: NOW + HOUR, limit: 9 });
  return { file, slot, held, gone, signed: signed.upload.id };
}

export function copySuite(open: OpenTestLedger): void {
  /** A ledger and a second, empty one of the same kind. */
  const onTwo = (says: string, work: (from: Ledger, to: Ledger) => Promise<void>) =>
    ledgerTest(open, says, async (from) => {
      const second = await open();
      await work(from, second.ledger).finally(() => second.close());
    });

  describe('a ledger that is carried to another place', () => {
    onTwo('has the same rows there, whatever they are', async (from, to) => {
      await live(from);
      await carryAll(from, to);
      assert.equal(await digestOf(to), await digestOf(from));
      for (const table of COPIED_TABLES) {
        const rows = await rowsOf(from, table);
        assert.notEqual(rows.length, 0, table);
        assert.deepEqual(await rowsOf(to, table), rows, table);
        assert.equal(await to.countRows({ table }), rows.length, table);
        const keys = rows.map((row) => rowKey(table, row));
        assert.equal((await to.readRowsByKey({ table, keys })).length, rows.length, table);
      }
      await checkCounters(to);
      assert.deepEqual(await to.stats(), await from.stats());
    });

    onTwo('goes on there: slots, files, quotas, rates and what was deleted', async (from, to) => {
      const { file, slot, held, gone, signed } = await live(from);
      await carryAll(from, to);
      assert.deepEqual(await to.find(file), await from.find(file));
      assert.equal((await to.find(LINK))?.id, signed);
      await storeSlot(to, slot);
      const spent = await refused(to, { limits: { uploadsPer: { period: HOUR, uploads: 3 } } });
      assert.equal(spent.used, 3);
      assert.equal((await to.findRemoval(gone))?.reason, 'deleted');
      assert.deepEqual(await to.listOldPaths(), await from.listOldPaths());
      // Its process stayed behind, so whoever comes next may fill it.
      await storeSlot(to, held);
      await checkCounters(to);
    });

    onTwo('keeps links from being filled again that were removed', async (from, to) => {
      const { signed } = await live(from);
      await from.remove({ ids: [signed], reason: 'deleted', detail: '', now: NOW });
      await carryAll(from, to);
      const answer = await to.reserve(reservation({ putKey: null, upload: { locator: LINK } }));
      assert.ok(!answer.granted && answer.limit === 'locator' && answer.removal);
    });

    ledgerTest(open, 'says something else after each change', async (ledger) => {
      const { file, slot } = await live(ledger);
      const seen = new Set([await digestOf(ledger)]);
      const changes: (() => Promise<unknown>)[] = [
        () => issue(ledger),
        () => claimSlot(ledger, slot),
        () => ledger.release({ id: slot, token: `token of ${slot}`, now: NOW }),
        () => storeSlot(ledger, slot),
        () => ledger.correctSize({ id: file, size: 7 }),
        () => ledger.remove({ ids: [file], reason: 'deleted', detail: '', now: NOW }),
        () => ledger.forget({ owner: ROMEO, limit: 9, now: NOW }),
      ];
      for (const [i, change] of changes.entries()) {
        await change();
        seen.add(await digestOf(ledger));
        assert.equal(seen.size, i + 2, String(change));
      }
    });

    onTwo('takes out and replaces what the new place had from before', async (from, to) => {
      await live(from);
      const old = await store(to);
      const [owner] = await rowsOf(to, 'owners');
      const upload = reservation({ putKey: null, upload: { locator: LINK, owner: ROMEO } });
      await to.reserve({ ...upload, claim: { instance: 'here', token: 't' } });
      await to.setMigrationState('importing');
      await to.deleteRows({ table: 'uploads', keys: [[old]] });
      assert.equal(await to.find(old), undefined);
      assert.equal((await to.pendingDeletes(9)).length, 1);
      // The same names under other numbers, the same link under another id: neither stands in the way.
      for (const table of COPIED_TABLES) await to.upsertRows({ table, rows: await rowsOf(from, table) });
      assert.equal((await to.readRowsByKey({ table: 'owners', keys: [[owner?.id ?? 0]] })).length, 0);
      assert.equal((await to.find(LINK))?.id, (await from.find(LINK))?.id);
      // These two, and what the old place had to bury still.
      assert.equal((await to.pendingDeletes(9)).length, 3);
    });

    ledgerTest(open, 'finds owners whose counters are off', async (ledger) => {
      await live(ledger);
      const all = { after: null, upTo: null };
      assert.deepEqual(await ledger.findWrongCounters(all), []);
      await ledger.setMigrationState('importing');
      const [row] = await ledger.readRowsByKey({
        table: 'owners',
        keys: (await rowsOf(ledger, 'owners')).map(({ id }) => [id ?? 0]),
      });
      await ledger.upsertRows({ table: 'owners', rows: [{ ...row, bytes: 1 }] });
      assert.deepEqual(await ledger.findWrongCounters(all), [row?.name]);
    });
  });

  describe('the standing of a ledger', () => {
    ledgerTest(open, 'is open, and takes nothing that only a move brings', async (ledger) => {
      assert.equal(await ledger.migrationState(), 'open');
      await assert.rejects(ledger.upsertRows({ table: 'owners', rows: [] }), moved);
      await assert.rejects(ledger.deleteRows({ table: 'owners', keys: [] }), moved);
    });

    ledgerTest(open, 'lets what is under way end while it closes, and nothing begin', async (ledger) => {
      const file = await store(ledger);
      const [slot, held] = [await issue(ledger), await issue(ledger)];
      await claimSlot(ledger, held);
      await ledger.setMigrationState('closing');
      await assert.rejects(issue(ledger), moved);
      await assert.rejects(claimSlot(ledger, slot), moved);
      await assert.rejects(ledger.remove({ ids: [file], reason: 'deleted', detail: '', now: NOW }), moved);
      assert.equal(await ledger.commit({ id: held, token: `token of ${held}`, now: NOW, size: 100 }), true);
    });

    ledgerTest(
      open,
      'lets files be looked for when it is away, processes live, and nothing change',
      async (ledger) => {
        const file = await store(ledger);
        const held = await issue(ledger);
        await claimSlot(ledger, held);
        await ledger.setMigrationState('moved');
        const order = { id: held, token: `token of ${held}`, now: NOW, size: 100 };
        await assert.rejects(ledger.commit(order), moved);
        await assert.rejects(ledger.sweep({ kind: 'unused', limit: 9, now: NOW + HOUR }), moved);
        await assert.rejects(ledger.forget({ owner: JULIET, limit: 9, now: NOW }), moved);
        assert.equal((await ledger.find(file))?.state, 'stored');
        assert.equal(await ledger.recount({ owner: JULIET, repair: false }), false);
        await ledger.heartbeat({ id: 'here', host: 'h', pid: 1, now: NOW });
        await ledger.setMigrationState('open');
        assert.equal(await ledger.commit(order), true);
      },
    );

    ledgerTest(
      open,
      'changes for all who have it open, and waits for what they are in the middle of',
      async (ledger, opened) => {
        const other = await opened.openAgain();
        let granted = 0;
        const busy = Array.from({ length: 4 }, async () => {
          for (;;) {
            const answer = await other.reserve(reservation()).catch((fault) => fault);
            if (moved(answer)) return;
            assert.equal(answer.granted, true);
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
      },
    );
  });
}
