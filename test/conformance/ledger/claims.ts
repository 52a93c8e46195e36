import assert from 'node:assert/strict';
import { describe } from 'node:test';
import type { Ledger } from '../../../src/ledger/contract/ledger.ts';
import { pendingKeys } from '../../support/pending-keys.ts';
import {
  attempt,
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
  refused,
  reservation,
  SECOND,
  SLOT_TIME,
  store,
  storeSlot,
} from './fixture.ts';

const claimParams = (id: string, token = 'mine', now = NOW, instance = 'here') => ({
  by: { putKey: `key of ${id}` },
  token,
  instance,
  now,
  ledgerTime: now,
});

const sendHeartbeat = (ledger: Ledger, id: string, now: number) => ledger.heartbeat(heartbeatOf(id, now));

export function claimSuite(open: OpenTestLedger): void {
  describe('claim', () => {
    ledgerTest(
      open,
      'is granted to one of several concurrent PUTs, also of different processes',
      async (ledger, opened) => {
        const other = await opened.openAgain();
        const id = await issue(ledger);
        const results = await Promise.all([
          ledger.claim(claimParams(id, 'one')),
          other.claim(claimParams(id, 'two')),
          ledger.claim(claimParams(id, 'three')),
        ]);
        const outcomes = results.map(({ outcome }) => outcome);
        assert.deepEqual(outcomes.toSorted(), ['claimed', 'receiving', 'receiving']);
        const winner = ['one', 'two', 'three'][outcomes.indexOf('claimed')] ?? '';
        for (const token of ['one', 'two', 'three']) {
          const done = await ledger.commit({ ...attempt(id, token), now: NOW, size: 100 });
          assert.equal(done, token === winner);
        }
        await other.close();
      },
    );

    ledgerTest(open, 'returns the upload as receiving', async (ledger) => {
      const order = reservation();
      await ledger.reserve(order);
      assert.deepEqual(await claimSlot(ledger, order.upload.id), {
        ...order.upload,
        blob: attempt(order.upload.id, `token of ${order.upload.id}`).blob,
        state: 'receiving',
        createdAt: NOW,
        storedAt: null,
      });
    });

    ledgerTest(open, 'is granted before the deadline only', async (ledger) => {
      const id = await issue(ledger);
      assert.deepEqual(await ledger.claim(claimParams(id, 't', NOW + SLOT_TIME)), { outcome: 'unknown' });
      assert.equal((await ledger.claim(claimParams(id, 't', NOW + SLOT_TIME - 1))).outcome, 'claimed');
    });

    ledgerTest(open, 'is unknown for a slot that was never issued', async (ledger) => {
      assert.deepEqual(await ledger.claim(claimParams('no-such-slot')), { outcome: 'unknown' });
    });

    ledgerTest(open, 'reports a stored upload, also after its deadline', async (ledger) => {
      const id = await store(ledger);
      for (const now of [NOW, NOW + SLOT_TIME + HOUR]) {
        const result = await ledger.claim(claimParams(id, 't', now));
        assert.ok(result.outcome === 'stored');
        assert.deepEqual(result.upload, await ledger.find(id));
      }
    });

    ledgerTest(open, 'can be taken over at once from a removed process only', async (ledger) => {
      const [dead, alive] = [await issue(ledger), await issue(ledger)];
      await sendHeartbeat(ledger, 'dead', NOW);
      await sendHeartbeat(ledger, 'alive', NOW);
      await ledger.claim(claimParams(dead, 'first', NOW, 'dead'));
      await ledger.claim(claimParams(alive, 'first', NOW, 'alive'));
      const ids = async () => (await ledger.listInstances()).map(({ id }) => id);
      assert.deepEqual(await ids(), ['alive', 'dead']);
      await ledger.removeInstances(['dead']);
      assert.deepEqual(await ids(), ['alive']);
      assert.equal((await ledger.claim(claimParams(dead))).outcome, 'claimed');
      assert.equal((await ledger.claim(claimParams(alive))).outcome, 'receiving');
      assert.equal(await ledger.commit({ ...attempt(dead, 'first'), now: NOW, size: 100 }), false);
    });

    ledgerTest(open, 'finds slots by locator if their links have no token', async (ledger) => {
      const order = reservation({
        putKey: null,
        upload: { locator: 'file_share:xyz', endpoint: 'file_share' },
      });
      await ledger.reserve(order);
      const by = { locator: 'file_share:xyz' };
      const result = await ledger.claim({ by, token: 't', instance: 'here', now: NOW, ledgerTime: NOW });
      assert.ok(result.outcome === 'claimed');
      assert.equal(result.upload.id, order.upload.id);
    });

    ledgerTest(
      open,
      'stays with its process if the clock of another process is an hour ahead or behind',
      async (ledger) => {
        const later = Date.now() + DAY;
        const { ledgerTime: _, ...heartbeat } = heartbeatOf('here', 0);
        for (const skewMs of [HOUR, -HOUR]) {
          const id = await issue(ledger, { upload: { deadline: later } });
          await ledger.heartbeat(heartbeat);
          const claim = (token: string, instance: string, now: number) =>
            ledger.claim({ by: { putKey: `key of ${id}` }, token, instance, now });
          assert.equal((await claim('mine', 'here', Date.now())).outcome, 'claimed');
          const now = Date.now() + skewMs;
          assert.equal((await claim('next', 'there', now)).outcome, 'receiving');
          assert.deepEqual(await ledger.sweep({ kind: 'dead_claims', limit: 9, now }), {
            count: 0,
            bytes: 0,
          });
          assert.equal(await ledger.commit({ ...attempt(id, 'mine'), now, size: 100 }), true);
        }
      },
    );

    ledgerTest(open, 'uses the same clock as heartbeats and readClock', async (ledger) => {
      const before = Date.now();
      const shown = await ledger.readClock();
      // Both run on this machine.
      assert.ok(shown >= before - 1 && shown <= Date.now() + 1, `${shown} is not about ${before}`);
      const { ledgerTime: _, ...heartbeat } = heartbeatOf('here', 0);
      await ledger.heartbeat({ ...heartbeat, clockSkewMs: -60_000 });
      const [listed] = await ledger.listInstances();
      assert.ok(listed && listed.seenAt >= shown && listed.silentMs >= 0 && listed.silentMs < HOUR);
      const { seenAt: _seenAt, silentMs: _silentMs, ...rest } = listed;
      assert.deepEqual(rest, { ...heartbeat, clockSkewMs: -60_000 });
    });

    ledgerTest(
      open,
      'can be taken over from a process that sent no heartbeat for a minute',
      async (ledger) => {
        const id = await issue(ledger);
        await sendHeartbeat(ledger, 'gone', NOW);
        await claimSlot(ledger, id, { instance: 'gone' });
        const minute = NOW + 60 * SECOND;
        assert.equal((await ledger.claim(claimParams(id, 'next', minute - 1))).outcome, 'receiving');
        assert.equal((await ledger.claim(claimParams(id, 'next', minute))).outcome, 'claimed');
        assert.equal(
          await ledger.commit({ ...attempt(id, `token of ${id}`), now: minute, size: 100 }),
          false,
        );
        assert.equal(await ledger.release({ ...attempt(id, `token of ${id}`), now: minute }), false);
        assert.equal(await ledger.commit({ ...attempt(id, 'next'), now: minute, size: 100 }), true);
      },
    );

    ledgerTest(open, 'gives every attempt its own blob key; only the stored one stays', async (ledger) => {
      const id = await issue(ledger);
      const minute = NOW + 60 * SECOND;
      const late = await ledger.claim(claimParams(id, 'late', NOW, 'frozen'));
      const next = await ledger.claim(claimParams(id, 'next', minute));
      assert.ok(late.outcome === 'claimed' && next.outcome === 'claimed');
      assert.notEqual(late.upload.blob, next.upload.blob);
      assert.deepEqual(await pendingKeys(ledger), [late.upload.blob], 'in the transaction that takes over');
      await ledger.confirmDeleted([late.upload.blob]);
      assert.equal(await ledger.commit({ ...attempt(id, 'next'), now: minute, size: 100 }), true);
      // The late attempt writes its bytes after they were deleted, and then learns that it has lost.
      assert.equal(await ledger.commit({ ...attempt(id, 'late'), now: minute, size: 100 }), false);
      assert.deepEqual(await pendingKeys(ledger), [late.upload.blob]);
      assert.equal(await ledger.release({ ...attempt(id, 'late'), now: minute }), false);
      const row = await ledger.find(id);
      assert.deepEqual([row?.state, row?.blob], ['stored', next.upload.blob]);
      assert.deepEqual(await pendingKeys(ledger), [late.upload.blob]);
    });

    ledgerTest(open, 'spares the stored key if the answer to the commit was lost', async (ledger) => {
      const id = await issue(ledger);
      await ledger.claim(claimParams(id, 'mine'));
      const mine = { ...attempt(id, 'mine'), now: NOW };
      assert.equal(await ledger.commit({ ...mine, size: 100 }), true);
      assert.equal(await ledger.commit({ ...mine, size: 100 }), false);
      assert.equal(await ledger.release(mine), false);
      assert.deepEqual(await pendingKeys(ledger), []);
    });

    ledgerTest(
      open,
      'stays with a process that sends heartbeats, for a PUT of any duration',
      async (ledger) => {
        const id = await issue(ledger);
        await claimSlot(ledger, id, { instance: 'here' });
        await sendHeartbeat(ledger, 'here', NOW + 300 * SECOND);
        assert.equal((await ledger.claim(claimParams(id, 'next', NOW + 350 * SECOND))).outcome, 'receiving');
        assert.equal(
          await ledger.commit({ ...attempt(id, `token of ${id}`), now: NOW + HOUR, size: 100 }),
          true,
        );
      },
    );
  });
  commitSuite(open);
  publishSuite(open);
  releaseSuite(open);
}

function commitSuite(open: OpenTestLedger): void {
  describe('commit', () => {
    ledgerTest(open, 'stores the upload and charges its size', async (ledger) => {
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

    ledgerTest(open, 'corrects the charge if the received size differs', async (ledger) => {
      const limits = { ownerBytes: 1000, purposeBytes: 1000 };
      const id = await issue(ledger, { upload: { size: 1000, purpose: 'profile' }, limits });
      await storeSlot(ledger, id, { size: 300 });
      assert.equal((await ledger.find(id))?.size, 300);
      await issue(ledger, { upload: { size: 700, purpose: 'profile' }, limits });
      await checkCounters(ledger);
    });

    ledgerTest(open, 'changes nothing without the claim', async (ledger) => {
      const id = await issue(ledger);
      assert.equal(await ledger.commit({ ...attempt(id, 'mine'), now: NOW, size: 100 }), false);
      await claimSlot(ledger, id);
      assert.equal(await ledger.commit({ ...attempt(id, 'other'), now: NOW, size: 100 }), false);
      assert.equal((await ledger.find(id))?.state, 'receiving');
    });

    ledgerTest(open, 'counts once when it is repeated', async (ledger) => {
      const id = await store(ledger);
      assert.equal(await ledger.commit({ ...attempt(id, `token of ${id}`), now: NOW, size: 100 }), false);
      assert.equal((await ledger.usage(JULIET)).uploads, 1);
    });

    ledgerTest(open, 'changes nothing if the upload was removed meanwhile', async (ledger) => {
      const id = await issue(ledger);
      const { blob } = await claimSlot(ledger, id);
      await ledger.remove({ ids: [id], reason: 'deleted', detail: '', now: NOW });
      assert.equal(await ledger.commit({ ...attempt(id, `token of ${id}`), now: NOW, size: 100 }), false);
      assert.deepEqual(await pendingKeys(ledger), [blob]);
      await checkCounters(ledger);
    });
  });
}

function publishSuite(open: OpenTestLedger): void {
  const PUBLIC = 'ab/public.jpg';
  const storeUnpublished = async (ledger: Ledger) => {
    const id = await issue(ledger);
    await claimSlot(ledger, id);
    const mine = attempt(id, `token of ${id}`);
    assert.ok(await ledger.commit({ ...mine, now: NOW, size: 100, publicBlob: PUBLIC }));
    return mine;
  };

  describe('publish', () => {
    ledgerTest(open, 'lists a stored file until it has its public name', async (ledger) => {
      const { id, blob } = await storeUnpublished(ledger);
      assert.equal((await ledger.find(id))?.blob, PUBLIC);
      assert.deepEqual(
        (await ledger.unpublished(9)).map((row) => ({ ...row })),
        [{ id, blob, publicBlob: PUBLIC }],
      );
      await ledger.release({ ...attempt(id, `token of ${id}`), now: NOW });
      assert.deepEqual(await pendingKeys(ledger), [], 'the key of a stored file');
      for (let times = 0; times < 2; times += 1) {
        assert.equal(await ledger.confirmPublished({ id, publicBlob: PUBLIC }), true);
        assert.deepEqual(await ledger.unpublished(9), []);
      }
      await ledger.remove({ ids: [id], reason: 'deleted', detail: '', now: NOW });
      assert.deepEqual(await pendingKeys(ledger), [PUBLIC]);
    });

    ledgerTest(open, 'deletes both names if the upload is removed before', async (ledger) => {
      const { id, blob } = await storeUnpublished(ledger);
      await ledger.remove({ ids: [id], reason: 'deleted', detail: '', now: NOW });
      assert.deepEqual((await pendingKeys(ledger)).toSorted(), [blob, PUBLIC].toSorted());
      await ledger.confirmDeleted([blob, PUBLIC]);
      assert.equal(await ledger.confirmPublished({ id, publicBlob: PUBLIC }), false);
      assert.deepEqual(await pendingKeys(ledger), [PUBLIC]);
    });
  });
}

function releaseSuite(open: OpenTestLedger): void {
  describe('release', () => {
    ledgerTest(open, 'ends a claim of unknown outcome by its token, and no other claim', async (ledger) => {
      const id = await issue(ledger);
      const by = { putKey: `key of ${id}` };
      assert.equal(await ledger.releaseByToken({ by, token: 'mine', now: NOW }), false, 'no effect yet');
      await ledger.claim(claimParams(id, 'mine'));
      assert.equal(await ledger.releaseByToken({ by, token: 'other', now: NOW }), false);
      assert.equal(await ledger.releaseByToken({ by, token: 'mine', now: NOW }), true);
      assert.equal((await ledger.find(id))?.state, 'issued');
      await storeSlot(ledger, id);
      assert.equal(await ledger.releaseByToken({ by, token: `token of ${id}`, now: NOW }), false);
      assert.equal((await ledger.find(id))?.state, 'stored');
      const locator = 'external/of unknown outcome';
      const claim = { instance: 'here', token: 'signed' };
      await ledger.reserve(reservation({ putKey: null, upload: { locator }, claim }));
      assert.equal(await ledger.releaseByToken({ by: { locator }, token: 'signed', now: NOW }), true);
      assert.equal(await ledger.find(locator), undefined, 'it was reserved by its PUT');
      await checkCounters(ledger);
    });

    ledgerTest(open, 'allows another PUT until the deadline', async (ledger) => {
      const id = await issue(ledger);
      await claimSlot(ledger, id);
      assert.equal(await ledger.release({ ...attempt(id, `token of ${id}`), now: NOW + 1 }), true);
      assert.equal((await ledger.find(id))?.state, 'issued');
      const failed = attempt(id, `token of ${id}`).blob;
      assert.deepEqual(await pendingKeys(ledger), [failed]);
      const next = { by: { putKey: `key of ${id}` }, token: 'next', instance: 'here', now: NOW + 2 };
      const claimed = await ledger.claim(next);
      assert.ok(claimed.outcome === 'claimed' && claimed.upload.blob !== failed);
      const { blob } = claimed.upload;
      assert.equal(await ledger.commit({ id, token: 'next', now: NOW + 2, size: 100, blob }), true);
      assert.equal((await ledger.find(id))?.blob, blob);
      assert.deepEqual(await pendingKeys(ledger), [failed], 'the stored key is not deleted');
      await checkCounters(ledger);
    });

    ledgerTest(open, 'requires the token of the claim', async (ledger) => {
      const id = await issue(ledger);
      await claimSlot(ledger, id);
      assert.equal(await ledger.release({ ...attempt(id, 'other'), now: NOW }), false);
      assert.equal((await ledger.find(id))?.state, 'receiving');
      await ledger.commit({ ...attempt(id, `token of ${id}`), now: NOW, size: 100 });
      assert.equal(await ledger.release({ ...attempt(id, `token of ${id}`), now: NOW }), false);
      assert.equal((await ledger.find(id))?.state, 'stored');
    });

    ledgerTest(
      open,
      'deletes an upload that was reserved by its PUT, and refunds its rates',
      async (ledger) => {
        const limits = { ownerBytes: 100, bytesPer: { period: HOUR, bytes: 100 } };
        const claim = { instance: 'here', token: 't' };
        const id = await issue(ledger, { limits, claim });
        await refused(ledger, { limits, claim });
        assert.equal(await ledger.release({ ...attempt(id, 't'), now: NOW }), true);
        assert.equal(await ledger.findRemoval(id), undefined);
        await issue(ledger, { limits, claim });
        await checkCounters(ledger);
      },
    );
  });
}
