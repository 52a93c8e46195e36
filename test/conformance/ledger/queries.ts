import assert from 'node:assert/strict';
import { describe } from 'node:test';
import { idInBlobKey } from '../../../src/base/blob-keys.ts';
import {
  attempt,
  checkCounters,
  claimSlot,
  heartbeatOf,
  issue,
  JULIET,
  ledgerTest,
  NOW,
  type OpenTestLedger,
  ROMEO,
  reservation,
  SECOND,
  store,
} from './fixture.ts';

export function querySuite(open: OpenTestLedger): void {
  describe('identity and totals', () => {
    ledgerTest(open, 'changes the identity only if it is the expected one', async (ledger) => {
      assert.equal(await ledger.storeIdentity(), null);
      const first = { id: 'first', isMarked: false };
      assert.deepEqual(await ledger.setStoreIdentity({ ...first, replaces: null }), first);
      assert.deepEqual(await ledger.setStoreIdentity({ id: 'late', isMarked: true, replaces: null }), first);
      assert.deepEqual(
        await ledger.setStoreIdentity({ id: 'late', isMarked: true, replaces: 'other' }),
        first,
      );
      const next = { id: 'next', isMarked: true };
      assert.deepEqual(await ledger.setStoreIdentity({ ...next, replaces: 'first' }), next);
      assert.deepEqual(await ledger.storeIdentity(), next);
    });

    ledgerTest(open, 'finds and repairs wrong totals of the service', async (ledger) => {
      await store(ledger);
      await issue(ledger, { upload: { owner: ROMEO } });
      const stats = await ledger.stats();
      assert.equal(await ledger.recountTotals({ repair: false }), false);
      const rows = await ledger.readRowRange({ table: 'totals', after: null, upTo: null });
      await ledger.setMigrationState('importing');
      const wrong = rows.map((row) => ({ ...row, bytes: Number(row.bytes) + 7, removals: 3, owners: 0 }));
      await ledger.upsertRows({ table: 'totals', rows: wrong });
      await ledger.setMigrationState('open');
      assert.equal(await ledger.recountTotals({ repair: false }), true);
      assert.notDeepEqual(await ledger.stats(), stats);
      assert.equal(await ledger.recountTotals({ repair: true }), true);
      assert.deepEqual(await ledger.stats(), stats);
      assert.equal(await ledger.recountTotals({ repair: true }), false);
    });

    ledgerTest(open, 'never finds wrong totals while uploads are stored', async (ledger) => {
      const work = Array.from({ length: 12 }, (_, i) =>
        store(ledger, { upload: { owner: `user${i}@example.org` } }),
      );
      const checks = Array.from({ length: 12 }, () => ledger.recountTotals({ repair: true }));
      assert.deepEqual(new Set(await Promise.all(checks)), new Set([false]));
      await Promise.all(work);
      assert.equal(await ledger.recountTotals({ repair: false }), false);
    });
  });

  describe('lists and lookups', () => {
    ledgerTest(open, 'lists uploads in pages, by owner and state, in either direction', async (ledger) => {
      const stored = await Promise.all([0, 1, 2].map(() => store(ledger)));
      const issued = await issue(ledger);
      const receiving = await issue(ledger, { upload: { owner: ROMEO } });
      await claimSlot(ledger, receiving);
      const ids = async (query: Parameters<typeof ledger.listUploads>[0]) =>
        (await ledger.listUploads(query)).map(({ id }) => id);
      const all = [...stored, issued, receiving].toSorted();
      assert.deepEqual(await ids({ limit: 9 }), all);
      assert.deepEqual(await ids({ limit: 2 }), all.slice(0, 2));
      assert.deepEqual(await ids({ limit: 9, after: String(all[1]) }), all.slice(2));
      assert.deepEqual(await ids({ limit: 9, state: 'stored' }), stored.toSorted());
      assert.deepEqual(await ids({ limit: 9, state: 'issued' }), [issued]);
      assert.deepEqual(await ids({ limit: 9, state: 'receiving' }), [receiving]);
      assert.deepEqual(await ids({ limit: 9, owner: ROMEO }), [receiving]);
      assert.deepEqual(await ids({ limit: 9, owner: JULIET, state: 'issued' }), [issued]);
      assert.deepEqual(await ids({ limit: 9, newestFirst: true }), all.toReversed());
      const later = { limit: 1, newestFirst: true, after: String(all[3]), state: 'stored' } as const;
      assert.deepEqual(
        await ids(later),
        stored
          .filter((id) => id < String(all[3]))
          .toSorted()
          .slice(-1),
      );
      assert.deepEqual(await ids({ limit: 9, owner: 'unknown@example.org' }), []);
      const [one] = await ledger.listUploads({ limit: 1 });
      assert.deepEqual(one, await ledger.find(String(all[0])));
    });

    ledgerTest(
      open,
      'lists all uploads of an owner in one order, for all purposes and states',
      async (ledger) => {
        const ids: string[] = [];
        for (const [i, purpose] of ['', 'profile', 'ephemeral', '', 'profile', ''].entries()) {
          const options = { upload: { purpose }, now: NOW + i * SECOND };
          ids.push(await (i % 3 === 0 ? issue : store)(ledger, options));
          await store(ledger, { upload: { owner: ROMEO, purpose }, now: NOW + i * SECOND });
        }
        await claimSlot(ledger, String(ids[0]));
        for (const newestFirst of [false, true]) {
          const listed: string[] = [];
          const more = async () => {
            const after = listed.at(-1);
            return await ledger.listUploads({
              ...{ owner: JULIET, newestFirst, limit: 2 },
              ...(after !== undefined && { after }),
            });
          };
          for (let page = await more(); page.length > 0; page = await more()) {
            assert.ok(page.every(({ owner }) => owner === JULIET));
            listed.push(...page.map(({ id }) => id));
          }
          assert.deepEqual(listed, newestFirst ? ids.toReversed() : ids);
        }
        const stored = await ledger.listUploads({ owner: JULIET, state: 'stored', limit: 9 });
        assert.deepEqual(
          stored.map(({ id }) => id),
          [1, 2, 4, 5].map((i) => ids[i]),
        );
      },
    );

    ledgerTest(open, 'lists removals newest first, in pages, by owner and reason', async (ledger) => {
      const ids: string[] = [];
      for (let i = 0; i < 6; i += 1) {
        const id = await store(ledger, { upload: { owner: i === 5 ? ROMEO : JULIET } });
        const reason = i === 0 ? 'missing' : 'deleted';
        // Two of them have the same time.
        await ledger.remove({ ids: [id], reason, detail: '', now: NOW + Math.floor(i / 2) });
        ids.push(id);
      }
      const all = await ledger.listRemovals({ limit: 9 });
      assert.equal(all.length, 6);
      assert.deepEqual(
        all.map(({ removedAt }) => removedAt - NOW),
        [2, 2, 1, 1, 0, 0],
      );
      const paged = [];
      for (let last = all[0]; last; last = paged.at(-1)) {
        if (paged.length === 0) paged.push(last);
        const page = await ledger.listRemovals({
          limit: 2,
          before: { removedAt: last.removedAt, locator: last.locator },
        });
        if (page.length === 0) break;
        paged.push(...page);
      }
      assert.deepEqual(paged, all);
      assert.deepEqual(
        (await ledger.listRemovals({ limit: 9, owner: ROMEO })).map(({ id }) => id),
        [ids[5]],
      );
      assert.deepEqual(
        (await ledger.listRemovals({ limit: 9, reason: 'missing' })).map(({ id }) => id),
        [ids[0]],
      );
      const [none] = await ledger.listRemovals({ limit: 9, owner: ROMEO, reason: 'missing' });
      assert.equal(none, undefined);
    });

    ledgerTest(open, 'lists owners by name, in pages', async (ledger) => {
      const names = ['ann', 'bob', 'cyd'].map((name) => `${name}@example.org`);
      for (const owner of names.toReversed()) await store(ledger, { upload: { owner } });
      const page = await ledger.listOwners({ limit: 2 });
      assert.deepEqual(
        page.map(({ owner }) => owner),
        names.slice(0, 2),
      );
      assert.deepEqual(page[0], {
        owner: names[0],
        uploads: 1,
        bytes: 100,
        pendingUploads: 0,
        pendingBytes: 0,
        lastUploadAt: NOW,
      });
      const rest = await ledger.listOwners({ after: String(names[1]), limit: 2 });
      assert.deepEqual(
        rest.map(({ owner }) => owner),
        names.slice(2),
      );
    });

    ledgerTest(open, 'returns totals of all owners', async (ledger) => {
      await store(ledger);
      await issue(ledger, { upload: { size: 7, owner: ROMEO } });
      const gone = await store(ledger);
      await ledger.remove({ ids: [gone], reason: 'deleted', detail: '', now: NOW });
      assert.deepEqual(await ledger.stats(), {
        uploads: 1,
        bytes: 100,
        pendingUploads: 1,
        pendingBytes: 7,
        owners: 2,
        removals: 1,
      });
    });

    ledgerTest(open, 'returns which of 1,000 ids exist', async (ledger) => {
      const ids = await Promise.all([0, 1, 2].map((i) => (i === 0 ? issue : store)(ledger)));
      const strangers = Array.from({ length: 997 }, (_, i) => `stranger${i}`);
      assert.deepEqual((await ledger.findExistingIds([...strangers, ...ids])).toSorted(), ids.toSorted());
      assert.deepEqual(await ledger.findExistingIds([]), []);
    });

    ledgerTest(open, 'returns the blob keys of uploads and of pending deletes', async (ledger) => {
      const [kept, removed] = [await store(ledger), await store(ledger)];
      await ledger.remove({ ids: [removed], reason: 'deleted', detail: '', now: NOW });
      const blobs = [kept, removed].map((id) => attempt(id, `token of ${id}`).blob);
      const other = attempt(kept, 'other').blob;
      const keys = [...blobs, other, 'ab/unknown.jpg'].map((blob) => ({ id: idInBlobKey(blob), blob }));
      assert.deepEqual((await ledger.findKnownBlobs(keys)).toSorted(), blobs.toSorted());
      assert.deepEqual(await ledger.findKnownBlobs([]), []);
    });

    ledgerTest(open, 'returns nothing for unknown locators and owners', async (ledger) => {
      assert.equal(await ledger.find('nothing'), undefined);
      assert.equal(await ledger.findByPutKey('nothing'), undefined);
      assert.equal(await ledger.findRemoval('nothing'), undefined);
    });
  });
  repairSuite(open);
}

function repairSuite(open: OpenTestLedger): void {
  describe('repair', () => {
    ledgerTest(open, 'does not change correct counters', async (ledger) => {
      await store(ledger);
      assert.equal(await ledger.recount({ owner: JULIET, repair: true }), false);
      assert.equal(await ledger.recount({ owner: 'unknown@example.org', repair: true }), false);
    });
  });

  describe('transactions', () => {
    ledgerTest(open, 'a failed one has no effect and does not affect concurrent ones', async (ledger) => {
      const id = await issue(ledger);
      const twin = reservation({ putKey: `key of ${id}` });
      const answers = await Promise.allSettled([
        ledger.reserve(reservation()),
        ledger.reserve(twin),
        ledger.reserve(reservation()),
      ]);
      assert.deepEqual(
        answers.map(({ status }) => status),
        ['fulfilled', 'rejected', 'fulfilled'],
      );
      assert.equal(await ledger.find(twin.upload.id), undefined);
      assert.equal((await ledger.usage(JULIET)).pendingUploads, 3);
      await checkCounters(ledger);
    });

    ledgerTest(open, 'are visible to a second process', async (ledger, opened) => {
      const id = await store(ledger);
      const other = await opened.openAgain();
      assert.deepEqual(await other.find(id), await ledger.find(id));
      await other.remove({ ids: [id], reason: 'deleted', detail: '', now: NOW });
      assert.equal(await ledger.find(id), undefined);
      await other.close();
    });

    ledgerTest(open, 'of checkWritable leave no row, also if several run at once', async (ledger, opened) => {
      const other = await opened.openAgain();
      await Promise.all([ledger.checkWritable(), other.checkWritable(), ledger.checkWritable()]);
      assert.deepEqual(await ledger.listInstances(), []);
      await other.close();
      await assert.rejects(other.checkWritable(), { name: 'LedgerError', kind: 'closed' });
    });

    ledgerTest(open, 'are rejected after close', async (_ledger, opened) => {
      const other = await opened.openAgain();
      const done = other.heartbeat(heartbeatOf('x', NOW));
      await other.close();
      await done;
      await assert.rejects(other.stats(), { name: 'LedgerError', kind: 'closed' });
      await assert.rejects(other.confirmDeleted([]), { name: 'LedgerError', kind: 'closed' });
      await other.close();
    });
  });
}
