import assert from 'node:assert/strict';
import { describe } from 'node:test';
import { randomId } from '../../../../src/base/ids.ts';
import { pendingKeys } from '../../../support/pending-keys.ts';
import {
  attempt,
  checkCounters,
  issue,
  JULIET,
  ledgerTest,
  NOW,
  type OpenTestLedger,
  reservation,
  SLOT_TIME,
} from '../fixture.ts';

export function reserveLocators(open: OpenTestLedger): void {
  describe('locators chosen by clients', () => {
    const outside = (options: Parameters<typeof reservation>[0] = {}) =>
      reservation({
        putKey: null,
        ...options,
        upload: { locator: 'external:abc', endpoint: 'external', ...options.upload },
      });
    const claim = { instance: 'here', token: 't' };

    ledgerTest(open, 'belong to one upload at a time', async (ledger) => {
      const first = outside({ claim });
      assert.deepEqual(await ledger.reserve(first), { granted: true });
      const answer = await ledger.reserve(outside({ claim }));
      assert.deepEqual(answer, {
        granted: false,
        limit: 'locator',
        upload: { ...first.upload, state: 'receiving', createdAt: NOW, storedAt: null },
      });
      assert.equal((await ledger.usage(JULIET)).pendingUploads, 1);
    });

    ledgerTest(open, 'find their upload, which cannot be found by its id', async (ledger) => {
      const order = outside({ claim });
      await ledger.reserve(order);
      assert.equal((await ledger.find('external:abc'))?.id, order.upload.id);
      assert.equal(await ledger.find(order.upload.id), undefined);
    });

    ledgerTest(open, 'are blocked after their upload was removed', async (ledger) => {
      const order = outside({ claim });
      await ledger.reserve(order);
      await ledger.commit({ ...attempt(order.upload.id, 't'), now: NOW, size: 100 });
      await ledger.remove({ ids: [order.upload.id], reason: 'deleted', detail: 'by her', now: NOW + 1 });
      const answer = await ledger.reserve(outside({ claim, now: NOW + 2 }));
      assert.ok(!answer.granted && answer.limit === 'locator');
      assert.deepEqual([answer.upload, answer.removal?.reason], [undefined, 'deleted']);
      assert.equal(
        (await ledger.sweep({ kind: 'records', removedBefore: NOW + 9, limit: 9, now: NOW + 9 })).count,
        0,
      );
    });

    ledgerTest(open, 'can be used again after a removal if the reservation allows it', async (ledger) => {
      const order = outside({ claim });
      await ledger.reserve(order);
      const again = (now: number) => ({ ...outside({ claim, now }), reusesLocator: true });
      const early = await ledger.reserve(again(NOW));
      assert.ok(!early.granted && early.limit === 'locator' && early.upload, 'it is in use');
      await ledger.commit({ ...attempt(order.upload.id, 't'), now: NOW, size: 100 });
      await ledger.remove({ ids: [order.upload.id], reason: 'expired', detail: '', now: NOW + 1 });
      const second = again(NOW + 2);
      assert.equal((await ledger.reserve(second)).granted, true);
      assert.equal((await ledger.find('external:abc'))?.id, second.upload.id);
      await checkCounters(ledger);
    });

    ledgerTest(open, 'can be used again after an interrupted transfer', async (ledger) => {
      const order = outside({ claim });
      await ledger.reserve(order);
      assert.equal(await ledger.release({ ...attempt(order.upload.id, 't'), now: NOW }), true);
      assert.equal(await ledger.find('external:abc'), undefined);
      assert.deepEqual(await pendingKeys(ledger), [order.upload.blob]);
      assert.deepEqual(await ledger.reserve(outside({ claim })), { granted: true });
      assert.equal((await ledger.usage(JULIET)).pendingUploads, 1);
      await checkCounters(ledger);
    });

    ledgerTest(open, 'can be used again after the process of the first PUT has ended', async (ledger) => {
      await ledger.reserve(outside({ claim }));
      const late = NOW + SLOT_TIME;
      assert.deepEqual(await ledger.reserve(outside({ claim, now: late })), { granted: true });
      assert.equal((await ledger.findRemoval('external:abc'))?.reason, 'unused');
    });

    ledgerTest(open, 'are unique, and so are ids', async (ledger) => {
      const id = await issue(ledger);
      const same = await ledger.reserve(reservation({ upload: { id } }));
      assert.ok(!same.granted && same.limit === 'locator');
      const hidden = await ledger.reserve(outside({ upload: { id } }));
      assert.ok(!hidden.granted && hidden.limit === 'locator');
      assert.equal(hidden.upload?.id, id);
    });

    ledgerTest(open, 'find the latest of several removal records', async (ledger) => {
      for (const [i, detail] of ['first', 'second'].entries()) {
        const order = outside({ upload: { id: randomId() }, now: NOW + i });
        assert.deepEqual(await ledger.reserve(order), { granted: true });
        await ledger.remove({ ids: [order.upload.id], reason: 'unused', detail, now: NOW + i });
      }
      assert.equal((await ledger.findRemoval('external:abc'))?.detail, 'second');
    });
  });
}
