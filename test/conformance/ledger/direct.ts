import assert from 'node:assert/strict';
import { describe } from 'node:test';
import { attemptBlobKey, directToken, slotBlobKey, writerTag } from '../../../src/base/blob-keys.ts';
import type { Ledger, StoreNewParams } from '../../../src/ledger/contract/ledger.ts';
import { pendingKeys } from '../../support/pending-keys.ts';
import {
  checkCounters,
  claimSlot,
  DAY,
  HOUR,
  heartbeatOf,
  issue,
  JULIET,
  ledgerTest,
  NOW,
  type OpenTestLedger,
  reservation,
  SLOT_TIME,
  store,
} from './fixture.ts';

const fileOf = (id: string, instance = 'here') => ({
  blob: attemptBlobKey(slotBlobKey(id, 'jpg'), directToken(instance)),
  instance,
});

const signed = (options: Parameters<typeof reservation>[0] = {}, instance = 'here'): StoreNewParams => {
  const { putKey: _, ...order } = reservation({
    ...options,
    upload: { locator: 'external:abc', endpoint: 'external', ...options.upload },
  });
  return { ...order, file: fileOf(order.upload.id, instance) };
};

/** Tests of `DirectUploadStore` and of dead writers. */
export function directSuite(open: OpenTestLedger): void {
  const directTest = (title: string, work: Parameters<typeof ledgerTest>[2]) =>
    ledgerTest(open, title, async (ledger, opened) => {
      await ledger.heartbeat(heartbeatOf('here', NOW));
      await work(ledger, opened);
    });

  describe('a file that is stored without a claim', () => {
    directTest('fills its slot like one with a claim', async (ledger) => {
      const limits = { bytesPer: { period: HOUR, bytes: 1000 } };
      const id = await issue(ledger, { upload: { purpose: 'profile' }, limits });
      const file = fileOf(id);
      assert.equal(await ledger.storeSlot({ id, size: 100, now: NOW + 5, ...file }), true);
      const row = await ledger.find(id);
      assert.deepEqual([row?.state, row?.storedAt, row?.blob], ['stored', NOW + 5, file.blob]);
      assert.deepEqual(await pendingKeys(ledger), []);
      assert.equal((await ledger.usage(JULIET)).bytes, 100);
      await checkCounters(ledger);
      await ledger.remove({ ids: [id], reason: 'deleted', detail: '', now: NOW });
      assert.deepEqual(await pendingKeys(ledger), [file.blob]);
    });

    directTest('wins its slot once, also against other processes and claims', async (ledger, opened) => {
      const other = await opened.openAgain();
      const id = await issue(ledger);
      const files = [fileOf(id), fileOf(id), fileOf(id)];
      const results = await Promise.all(
        files.map((file, i) => (i === 1 ? other : ledger).storeSlot({ id, size: 100, now: NOW, ...file })),
      );
      assert.equal(results.filter(Boolean).length, 1);
      const lost = files.filter((_, i) => !results[i]).map(({ blob }) => blob);
      assert.deepEqual((await pendingKeys(ledger)).toSorted(), lost.toSorted());
      await ledger.confirmDeleted(lost);
      const claimed = await issue(ledger);
      await claimSlot(ledger, claimed);
      const late = fileOf(claimed);
      assert.equal(await ledger.storeSlot({ id: claimed, size: 100, now: NOW, ...late }), false);
      assert.deepEqual(await pendingKeys(ledger), [late.blob]);
      assert.equal((await ledger.find(claimed))?.state, 'receiving');
      await checkCounters(ledger);
      await other.close();
    });

    directTest('needs a slot before its deadline, of the same size', async (ledger) => {
      const id = await issue(ledger);
      for (const change of [{ now: NOW + SLOT_TIME }, { size: 99 }, { id: 'unknown' }]) {
        assert.equal(await ledger.storeSlot({ id, size: 100, now: NOW, ...fileOf(id), ...change }), false);
      }
      assert.equal((await ledger.find(id))?.state, 'issued');
      assert.equal((await pendingKeys(ledger)).length, 3);
    });

    directTest('keeps its key until it has its public name', async (ledger) => {
      const id = await issue(ledger);
      const publicBlob = slotBlobKey(id, 'jpg');
      const { blob, instance } = fileOf(id);
      assert.ok(await ledger.storeSlot({ id, size: 100, now: NOW, blob, instance, publicBlob }));
      assert.deepEqual(
        (await ledger.unpublished(9)).map((row) => ({ ...row })),
        [{ id, blob, publicBlob }],
      );
      const order = signed();
      await ledger.storeNew({ ...order, file: { ...order.file, publicBlob: 'ab/public.jpg' } });
      assert.equal((await ledger.find('external:abc'))?.blob, 'ab/public.jpg');
      assert.equal((await ledger.unpublished(9)).length, 2);
    });

    directTest('is charged and stored in one transaction without a slot', async (ledger) => {
      const order = signed({ upload: { purpose: 'profile' } });
      assert.deepEqual(await ledger.storeNew(order), { granted: true });
      const row = await ledger.find('external:abc');
      assert.deepEqual(
        [row?.id, row?.state, row?.blob, row?.storedAt],
        [order.upload.id, 'stored', order.file.blob, NOW],
      );
      assert.equal((await ledger.usage(JULIET)).uploads, 1);
      assert.equal((await ledger.listOwners({ limit: 1 }))[0]?.lastUploadAt, NOW);
      await checkCounters(ledger);
      const again = signed();
      const result = await ledger.storeNew(again);
      assert.ok(!result.granted && result.limit === 'locator' && result.upload?.id === order.upload.id);
      assert.deepEqual(await pendingKeys(ledger), [again.file.blob]);
      await checkCounters(ledger);
    });

    directTest('is refused by quotas and by the removal of an earlier file', async (ledger) => {
      await store(ledger, { upload: { size: 950 } });
      const limits = { ownerBytes: 1000 };
      const full = signed({ limits });
      const result = await ledger.storeNew(full);
      assert.ok(!result.granted && result.limit === 'ownerBytes' && result.used === 950);
      assert.deepEqual(await pendingKeys(ledger), [full.file.blob]);
      assert.equal((await ledger.usage(JULIET)).pendingBytes, 0);
      await ledger.storeNew(signed());
      await ledger.remove({
        ids: [(await ledger.find('external:abc'))?.id ?? ''],
        reason: 'deleted',
        detail: '',
        now: NOW,
      });
      const removed = await ledger.storeNew(signed());
      assert.ok(!removed.granted && removed.limit === 'locator' && removed.removal);
      await checkCounters(ledger);
    });

    directTest('makes room by evictions like a reservation', async (ledger) => {
      const oldest = await store(ledger, { upload: { size: 900 } });
      const result = await ledger.storeNew(signed({ limits: { ownerBytes: 950 }, evict: true }));
      assert.ok(result.granted);
      assert.deepEqual(result.removed, [{ reason: 'evicted', uploads: 1, bytes: 900 }]);
      assert.equal(await ledger.find(oldest), undefined);
      await checkCounters(ledger);
    });

    directTest('is not stored for a process that sends no heartbeats', async (ledger) => {
      const id = await issue(ledger);
      const file = fileOf(id, 'unknown');
      assert.equal(await ledger.storeSlot({ id, size: 100, now: NOW, ...file }), false);
      const order = signed({}, 'unknown');
      assert.deepEqual(await ledger.storeNew(order), { granted: false, limit: 'instance' });
      assert.deepEqual((await pendingKeys(ledger)).toSorted(), [file.blob, order.file.blob].toSorted());
      await checkCounters(ledger);
    });
  });

  describe('a dead writer', () => {
    const tryStore = async (ledger: Ledger) => {
      const id = await issue(ledger);
      return await ledger.storeSlot({ id, size: 100, now: NOW, ...fileOf(id) });
    };

    directTest('can store no file until it is dropped', async (ledger) => {
      assert.deepEqual(await ledger.listDeadWriters(), []);
      await ledger.removeInstances(['here']);
      assert.deepEqual(await ledger.listDeadWriters(), [writerTag('here')]);
      assert.equal(await tryStore(ledger), false);
      // It was only frozen.
      await ledger.heartbeat(heartbeatOf('here', NOW));
      assert.equal(await tryStore(ledger), false);
      await ledger.dropDeadWriters([writerTag('here')]);
      assert.equal(await tryStore(ledger), true);
    });

    directTest('is a process that was silent for a day, but not one that has ended', async (ledger) => {
      await ledger.heartbeat(heartbeatOf('ended', NOW));
      await ledger.endInstance('ended');
      assert.deepEqual(await ledger.listDeadWriters(), []);
      await ledger.heartbeat(heartbeatOf('next', NOW + DAY));
      assert.deepEqual(await ledger.listDeadWriters(), [writerTag('here')]);
    });
  });
}
