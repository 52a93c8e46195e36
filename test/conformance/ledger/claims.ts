import assert from 'node:assert/strict';
import { describe } from 'node:test';
import type { Ledger } from '../../../src/ledger/contract/ledger.ts';
import {
  checkCounters,
  claimSlot,
  HOUR,
  issue,
  JULIET,
  ledgerTest,
  NOW,
  type OpenTestLedger,
  refused,
  reservation,
  SECOND,
  SLOT_TIME,
  store,
  storeSlot,
} from './fixture.ts';

const orderOf = (id: string, token = 'mine', now = NOW, instance = 'here') => ({
  by: { putKey: `key of ${id}` },
  token,
  instance,
  now,
});

const beat = (ledger: Ledger, id: string, now: number) => ledger.heartbeat({ id, host: 'h', pid: 1, now });

export function claimSuite(open: OpenTestLedger): void {
  describe('claim', () => {
    ledgerTest(open, 'has one winner of two PUTs at once, also across processes', async (ledger, opened) => {
      const other = await opened.openAgain();
      const id = await issue(ledger);
      const answers = await Promise.all([
        ledger.claim(orderOf(id, 'one')),
        other.claim(orderOf(id, 'two')),
        ledger.claim(orderOf(id, 'three')),
      ]);
      const outcomes = answers.map(({ outcome }) => outcome);
      assert.deepEqual(outcomes.toSorted(), ['claimed', 'receiving', 'receiving']);
      const winner = ['one', 'two', 'three'][outcomes.indexOf('claimed')] ?? '';
      for (const token of ['one', 'two', 'three']) {
        const done = await ledger.commit({ id, token, now: NOW, size: 100 });
        assert.equal(done, token === winner);
      }
      await other.close();
    });

    ledgerTest(open, 'shows the upload as it is being received', async (ledger) => {
      const order = reservation();
      await ledger.reserve(order);
      assert.deepEqual(await claimSlot(ledger, order.upload.id), {
        ...order.upload,
        state: 'receiving',
        createdAt: NOW,
        storedAt: null,
      });
    });

    ledgerTest(open, 'is possible until the deadline and not at it', async (ledger) => {
      const id = await issue(ledger);
      assert.deepEqual(await ledger.claim(orderOf(id, 't', NOW + SLOT_TIME)), { outcome: 'unknown' });
      assert.equal((await ledger.claim(orderOf(id, 't', NOW + SLOT_TIME - 1))).outcome, 'claimed');
    });

    ledgerTest(open, 'knows no slot that was never issued', async (ledger) => {
      assert.deepEqual(await ledger.claim(orderOf('nobody')), { outcome: 'unknown' });
    });

    ledgerTest(open, 'tells that an upload is stored, also after its deadline', async (ledger) => {
      const id = await store(ledger);
      for (const now of [NOW, NOW + SLOT_TIME + HOUR]) {
        const answer = await ledger.claim(orderOf(id, 't', now));
        assert.ok(answer.outcome === 'stored');
        assert.deepEqual(answer.upload, await ledger.find(id));
      }
    });

    ledgerTest(
      open,
      'is void at once where its process is known to be dead, and only there',
      async (ledger) => {
        const [dead, alive] = [await issue(ledger), await issue(ledger)];
        await beat(ledger, 'dead', NOW);
        await beat(ledger, 'alive', NOW);
        await ledger.claim(orderOf(dead, 'theirs', NOW, 'dead'));
        await ledger.claim(orderOf(alive, 'theirs', NOW, 'alive'));
        const heardOf = await ledger.listInstances('h');
        assert.deepEqual(heardOf.map(({ id }) => id).toSorted(), ['alive', 'dead']);
        assert.deepEqual(await ledger.listInstances('elsewhere'), []);
        await ledger.removeInstances(['dead']);
        assert.deepEqual(await ledger.listInstances('h'), [{ id: 'alive', pid: 1 }]);
        assert.equal((await ledger.claim(orderOf(dead))).outcome, 'claimed');
        assert.equal((await ledger.claim(orderOf(alive))).outcome, 'receiving');
        assert.equal(await ledger.commit({ id: dead, token: 'theirs', now: NOW, size: 100 }), false);
      },
    );

    ledgerTest(open, 'finds slots of doors whose links carry no token', async (ledger) => {
      const order = reservation({
        putKey: null,
        upload: { locator: 'file_share:xyz', endpoint: 'file_share' },
      });
      await ledger.reserve(order);
      const by = { locator: 'file_share:xyz' };
      const answer = await ledger.claim({ by, token: 't', instance: 'here', now: NOW });
      assert.ok(answer.outcome === 'claimed');
      assert.equal(answer.upload.id, order.upload.id);
    });

    ledgerTest(open, 'may be taken over from a process that has been silent for a minute', async (ledger) => {
      const id = await issue(ledger);
      await beat(ledger, 'gone', NOW);
      await claimSlot(ledger, id, { instance: 'gone' });
      const minute = NOW + 60 * SECOND;
      assert.equal((await ledger.claim(orderOf(id, 'next', minute - 1))).outcome, 'receiving');
      assert.equal((await ledger.claim(orderOf(id, 'next', minute))).outcome, 'claimed');
      assert.equal(await ledger.commit({ id, token: `token of ${id}`, now: minute, size: 100 }), false);
      assert.equal(await ledger.release({ id, token: `token of ${id}`, now: minute }), false);
      assert.equal(await ledger.commit({ id, token: 'next', now: minute, size: 100 }), true);
    });

    ledgerTest(open, 'stays with a process that lives, however long its PUT takes', async (ledger) => {
      const id = await issue(ledger);
      await claimSlot(ledger, id, { instance: 'here' });
      await beat(ledger, 'here', NOW + 300 * SECOND);
      assert.equal((await ledger.claim(orderOf(id, 'next', NOW + 350 * SECOND))).outcome, 'receiving');
      assert.equal(await ledger.commit({ id, token: `token of ${id}`, now: NOW + HOUR, size: 100 }), true);
    });
  });
  commitSuite(open);
  releaseSuite(open);
}

function commitSuite(open: OpenTestLedger): void {
  describe('commit', () => {
    ledgerTest(open, 'makes the upload stored and its charge its own', async (ledger) => {
      const id = await issue(ledger, { upload: { purpose: 'profile' } });
      await storeSlot(ledger, id, { now: NOW + 5 });
      const upload = await ledger.find(id);
      assert.deepEqual([upload?.state, upload?.storedAt, upload?.size], ['stored', NOW + 5, 100]);
      assert.deepEqual(await ledger.usage(JULIET), {
        uploads: 1,
        bytes: 100,
        pendingUploads: 0,
        pendingBytes: 0,
      });
      const [owner] = await ledger.listOwners({ limit: 9 });
      assert.equal(owner?.lastUploadAt, NOW + 5);
      await checkCounters(ledger);
    });

    ledgerTest(open, 'charges the true size where the door did not know it before', async (ledger) => {
      const limits = { ownerBytes: 1000, purposeBytes: 1000 };
      const id = await issue(ledger, { upload: { size: 1000, purpose: 'profile' }, limits });
      await storeSlot(ledger, id, { size: 300 });
      assert.equal((await ledger.find(id))?.size, 300);
      await issue(ledger, { upload: { size: 700, purpose: 'profile' }, limits });
      await checkCounters(ledger);
    });

    ledgerTest(open, 'stores nothing without the claim', async (ledger) => {
      const id = await issue(ledger);
      assert.equal(await ledger.commit({ id, token: 'mine', now: NOW, size: 100 }), false);
      await claimSlot(ledger, id);
      assert.equal(await ledger.commit({ id, token: 'other', now: NOW, size: 100 }), false);
      assert.equal((await ledger.find(id))?.state, 'receiving');
    });

    ledgerTest(open, 'counts once, however often it is said', async (ledger) => {
      const id = await store(ledger);
      assert.equal(await ledger.commit({ id, token: `token of ${id}`, now: NOW, size: 100 }), false);
      assert.equal((await ledger.usage(JULIET)).uploads, 1);
    });

    ledgerTest(open, 'stores nothing where the upload was removed meanwhile', async (ledger) => {
      const id = await issue(ledger);
      const { blob } = await claimSlot(ledger, id);
      await ledger.remove({ ids: [id], reason: 'deleted', detail: '', now: NOW });
      assert.equal(await ledger.commit({ id, token: `token of ${id}`, now: NOW, size: 100 }), false);
      assert.deepEqual(await ledger.pendingDeletes(9), [blob]);
      await checkCounters(ledger);
    });
  });
}

function releaseSuite(open: OpenTestLedger): void {
  describe('release', () => {
    ledgerTest(open, 'lets a slot be tried again until its deadline', async (ledger) => {
      const id = await issue(ledger);
      await claimSlot(ledger, id);
      assert.equal(await ledger.release({ id, token: `token of ${id}`, now: NOW + 1 }), true);
      assert.equal((await ledger.find(id))?.state, 'issued');
      await storeSlot(ledger, id, { now: NOW + 2 });
      assert.deepEqual(await ledger.pendingDeletes(9), [], 'the key of its blob is in use');
      await checkCounters(ledger);
    });

    ledgerTest(open, 'is for the holder of the claim alone', async (ledger) => {
      const id = await issue(ledger);
      await claimSlot(ledger, id);
      assert.equal(await ledger.release({ id, token: 'other', now: NOW }), false);
      assert.equal((await ledger.find(id))?.state, 'receiving');
      await ledger.commit({ id, token: `token of ${id}`, now: NOW, size: 100 });
      assert.equal(await ledger.release({ id, token: `token of ${id}`, now: NOW }), false);
      assert.equal((await ledger.find(id))?.state, 'stored');
    });

    ledgerTest(open, 'voids an upload that was reserved by its PUT, rates included', async (ledger) => {
      const limits = { ownerBytes: 100, bytesPer: { period: HOUR, bytes: 100 } };
      const claim = { instance: 'here', token: 't' };
      const id = await issue(ledger, { limits, claim });
      await refused(ledger, { limits, claim });
      assert.equal(await ledger.release({ id, token: 't', now: NOW }), true);
      assert.equal(await ledger.findRemoval(id), undefined);
      await issue(ledger, { limits, claim });
      await checkCounters(ledger);
    });
  });
}
