import assert from 'node:assert/strict';
import { describe } from 'node:test';
import { attemptBlobKey, directToken, resumableBlobKey, slotBlobKey } from '../../../src/base/blob-keys.ts';
import type { Ledger } from '../../../src/ledger/contract/ledger.ts';
import { pendingKeys } from '../../support/pending-keys.ts';
import {
  attempt,
  checkCounters,
  HOUR,
  heartbeatOf,
  issue,
  JULIET,
  ledgerTest,
  NOW,
  type OpenTestLedger,
  reservation,
  SECOND,
  SLOT_TIME,
} from './fixture.ts';

const DEADLINE = NOW + SLOT_TIME;
const MINUTE = NOW + 60 * SECOND;

const claimParams = (id: string, token: string, now = NOW) => ({
  by: { putKey: `key of ${id}` },
  token,
  instance: 'here',
  now,
  ledgerTime: now,
});
const resourceOf = (id: string) => `resource of ${id}`;
const resumeParams = (id: string, token: string, now = NOW) => ({
  resourceKey: resourceOf(id),
  token,
  instance: 'here',
  now,
  ledgerTime: now,
});
const blobOf = (id: string) => resumableBlobKey(slotBlobKey(id, 'jpg'), 'first token');
const received = (id: string, token: string, bytes: number, deadline = DEADLINE) => ({
  id,
  token,
  received: bytes,
  deadline,
});

/** Begins a resumable upload whose first request holds the claim with the token `first token`. */
async function begin(ledger: Ledger): Promise<string> {
  const id = await issue(ledger);
  assert.equal((await ledger.claim(claimParams(id, 'first token'))).outcome, 'claimed');
  const resumable = { id, resourceKey: resourceOf(id), blob: blobOf(id) };
  assert.equal(await ledger.beginResumable({ ...resumable, token: 'other token' }), false);
  assert.equal(await ledger.beginResumable({ ...resumable, token: 'first token' }), true);
  return id;
}

/** Begins a resumable upload and leaves it with 40 bytes. */
async function beginAndPause(ledger: Ledger): Promise<string> {
  const id = await begin(ledger);
  assert.equal(await ledger.pause(received(id, 'first token', 40)), true);
  return id;
}

/** Tests of `ResumableUploadStore`. */
export function resumableSuite(open: OpenTestLedger): void {
  describe('a resumable upload', () => {
    ledgerTest(open, 'continues with its bytes and is stored under its key', async (ledger) => {
      const id = await beginAndPause(ledger);
      const resumed = await ledger.resume(resumeParams(id, 'second'));
      assert.ok(resumed.outcome === 'claimed');
      const { upload } = resumed;
      assert.deepEqual([upload.state, upload.blob, resumed.received], ['receiving', blobOf(id), 40]);
      assert.equal(await ledger.recordReceived(received(id, 'second', 70)), 'continue');
      assert.equal((await ledger.findResource(resourceOf(id)))?.received, 70);
      const order = { id, token: 'second', now: NOW, size: 100, blob: upload.blob };
      assert.equal(await ledger.commit(order), true);
      const stored = await ledger.findResource(resourceOf(id));
      assert.deepEqual([stored?.upload.state, stored?.received], ['stored', 100]);
      assert.equal((await ledger.resume(resumeParams(id, 'third'))).outcome, 'stored');
      assert.deepEqual(await pendingKeys(ledger), []);
      await checkCounters(ledger);
    });

    ledgerTest(
      open,
      'counts as one pending upload with its whole size, however often it pauses',
      async (ledger) => {
        const id = await beginAndPause(ledger);
        const charged = { uploads: 0, bytes: 0, pendingUploads: 1, pendingBytes: 100 };
        assert.deepEqual(await ledger.usage(JULIET), charged);
        await ledger.resume(resumeParams(id, 'second'));
        assert.deepEqual(await ledger.usage(JULIET), charged);
        await ledger.pause(received(id, 'second', 50));
        assert.deepEqual(await ledger.usage(JULIET), charged);
        await checkCounters(ledger);
      },
    );

    ledgerTest(open, 'has one writer among all processes', async (ledger, opened) => {
      const other = await opened.openAgain();
      const id = await beginAndPause(ledger);
      const results = await Promise.all([
        ledger.resume(resumeParams(id, 'one')),
        other.resume(resumeParams(id, 'two')),
        ledger.resume(resumeParams(id, 'three')),
      ]);
      const outcomes = results.map(({ outcome }) => outcome).toSorted();
      assert.deepEqual(outcomes, ['claimed', 'receiving', 'receiving']);
      await other.close();
    });

    ledgerTest(open, 'tells its writer that another request waits', async (ledger, opened) => {
      const other = await opened.openAgain();
      const id = await begin(ledger);
      const mine = { id, token: 'first token' };
      assert.equal(await ledger.appendState(mine), 'continue');
      await other.requestStop(resourceOf(id));
      assert.equal(await ledger.appendState(mine), 'stop');
      assert.equal(await ledger.recordReceived(received(id, 'first token', 10)), 'stop');
      assert.equal(await ledger.pause(received(id, 'first token', 20)), true);
      const resumed = await other.resume(resumeParams(id, 'second'));
      assert.ok(resumed.outcome === 'claimed' && resumed.received === 20);
      assert.equal(
        await ledger.appendState({ id, token: 'second' }),
        'continue',
        'the stop request was for the earlier claim',
      );
      assert.equal(await ledger.appendState(mine), 'lost');
      assert.equal(await ledger.recordReceived(received(id, 'first token', 90)), 'lost');
      assert.equal(await ledger.pause(received(id, 'first token', 90)), false);
      assert.equal((await ledger.findResource(resourceOf(id)))?.received, 20);
      await other.close();
    });

    ledgerTest(open, 'never loses recorded bytes', async (ledger) => {
      const id = await begin(ledger);
      await ledger.recordReceived(received(id, 'first token', 50));
      await ledger.recordReceived(received(id, 'first token', 30));
      assert.equal((await ledger.findResource(resourceOf(id)))?.received, 50);
      await ledger.pause(received(id, 'first token', 10));
      assert.equal((await ledger.findResource(resourceOf(id)))?.received, 50);
    });

    ledgerTest(open, 'can be resumed until its deadline, which its bytes extend', async (ledger) => {
      const id = await begin(ledger);
      await ledger.recordReceived(received(id, 'first token', 10, DEADLINE + HOUR));
      await ledger.pause(received(id, 'first token', 10, DEADLINE));
      const { outcome } = await ledger.resume(resumeParams(id, 'second', DEADLINE + HOUR - 1));
      assert.equal(outcome, 'claimed');
      await ledger.pause(received(id, 'second', 10));
      assert.equal((await ledger.resume(resumeParams(id, 'third', DEADLINE + HOUR))).outcome, 'unknown');
    });

    ledgerTest(open, 'is not found by a wrong resource key', async (ledger) => {
      const id = await beginAndPause(ledger);
      const wrong = { ...resumeParams(id, 'second'), resourceKey: 'resource of another' };
      assert.deepEqual(await ledger.resume(wrong), { outcome: 'unknown' });
      assert.equal(await ledger.findResource('resource of another'), undefined);
      await ledger.requestStop('resource of another');
    });

    replacedSuite(open);
    removedSuite(open);
    deadProcessSuite(open);
  });
}

function replacedSuite(open: OpenTestLedger): void {
  ledgerTest(
    open,
    'is replaced by a plain PUT of its slot, which starts from the beginning',
    async (ledger) => {
      const id = await beginAndPause(ledger);
      const claimed = await ledger.claim(claimParams(id, 'plain'));
      assert.ok(claimed.outcome === 'claimed');
      assert.equal(claimed.upload.blob, attempt(id, 'plain').blob);
      assert.deepEqual(await pendingKeys(ledger), [blobOf(id)]);
      assert.equal(await ledger.findResource(resourceOf(id)), undefined);
      assert.equal(await ledger.pause(received(id, 'plain', 1)), false, 'it is not resumable');
      assert.equal(await ledger.commit({ ...attempt(id, 'plain'), now: NOW, size: 100 }), true);
      await checkCounters(ledger);
    },
  );

  ledgerTest(open, 'is not replaced by a small file that is stored without a claim', async (ledger) => {
    await ledger.heartbeat(heartbeatOf('here', NOW));
    const id = await beginAndPause(ledger);
    const blob = attemptBlobKey(slotBlobKey(id, 'jpg'), directToken('here'));
    assert.equal(await ledger.storeSlot({ id, size: 100, now: NOW, blob, instance: 'here' }), false);
    assert.deepEqual(await pendingKeys(ledger), [blob]);
    assert.equal((await ledger.resume(resumeParams(id, 'second'))).outcome, 'claimed');
  });

  ledgerTest(open, 'of a signed link keeps its charge while it pauses', async (ledger) => {
    const locator = 'external/resumable';
    const claim = { instance: 'here', token: 'first token' };
    const order = reservation({ putKey: null, upload: { locator }, claim });
    const { id } = order.upload;
    await ledger.reserve(order);
    await ledger.beginResumable({ id, token: 'first token', resourceKey: resourceOf(id), blob: blobOf(id) });
    await ledger.pause(received(id, 'first token', 40));
    assert.equal((await ledger.usage(JULIET)).pendingBytes, 100);
    await ledger.resume(resumeParams(id, 'second'));
    assert.equal(await ledger.release({ id, token: 'second', now: NOW, blob: blobOf(id) }), true);
    assert.equal(await ledger.find(locator), undefined, 'it was reserved by its PUT');
    assert.deepEqual(await pendingKeys(ledger), [blobOf(id)]);
    assert.equal((await ledger.usage(JULIET)).pendingBytes, 0);
    await checkCounters(ledger);
  });
}

function removedSuite(open: OpenTestLedger): void {
  ledgerTest(open, 'that is cancelled leaves a slot that can be used again', async (ledger) => {
    const id = await beginAndPause(ledger);
    await ledger.resume(resumeParams(id, 'cancel'));
    assert.equal(await ledger.release({ id, token: 'cancel', now: NOW, blob: blobOf(id) }), true);
    assert.deepEqual(await pendingKeys(ledger), [blobOf(id)]);
    assert.equal(await ledger.findResource(resourceOf(id)), undefined);
    const claimed = await ledger.claim(claimParams(id, 'again'));
    assert.ok(claimed.outcome === 'claimed');
    assert.equal(claimed.upload.blob, attempt(id, 'again').blob);
  });

  ledgerTest(open, 'is swept with its bytes after its deadline, and refunded', async (ledger) => {
    const id = await beginAndPause(ledger);
    assert.deepEqual(await ledger.sweep({ kind: 'unused', limit: 9, now: DEADLINE }), {
      count: 1,
      bytes: 100,
    });
    assert.deepEqual(await pendingKeys(ledger), [blobOf(id)]);
    assert.equal(await ledger.find(id), undefined);
    assert.equal((await ledger.usage(JULIET)).pendingBytes, 0);
    await checkCounters(ledger);
  });

  ledgerTest(open, 'is removed and forgotten with its bytes', async (ledger) => {
    const removed = await beginAndPause(ledger);
    await ledger.remove({ ids: [removed], reason: 'deleted', detail: '', now: NOW });
    const forgotten = await beginAndPause(ledger);
    await ledger.forget({ owner: JULIET, limit: 9, now: NOW });
    assert.deepEqual((await pendingKeys(ledger)).toSorted(), [blobOf(removed), blobOf(forgotten)].toSorted());
    assert.equal(await ledger.findResource(resourceOf(removed)), undefined);
    await checkCounters(ledger);
  });
}

function deadProcessSuite(open: OpenTestLedger): void {
  ledgerTest(open, 'continues from the recorded bytes after its process was killed', async (ledger) => {
    const id = await begin(ledger);
    await ledger.recordReceived(received(id, 'first token', 30));
    assert.equal((await ledger.resume(resumeParams(id, 'second', MINUTE - 1))).outcome, 'receiving');
    const resumed = await ledger.resume(resumeParams(id, 'second', MINUTE));
    assert.ok(resumed.outcome === 'claimed' && resumed.received === 30);
    assert.equal(resumed.upload.blob, blobOf(id));
    assert.deepEqual(await pendingKeys(ledger), []);
    assert.equal(await ledger.recordReceived(received(id, 'first token', 90)), 'lost', 'the late process');
  });

  ledgerTest(open, 'keeps its bytes when a sweep releases the claim of a dead process', async (ledger) => {
    const id = await begin(ledger);
    await ledger.recordReceived(received(id, 'first token', 30));
    const swept = await ledger.sweep({ kind: 'dead_claims', limit: 9, now: MINUTE, ledgerTime: MINUTE });
    assert.equal(swept.count, 1);
    assert.deepEqual(await pendingKeys(ledger), []);
    const resumed = await ledger.resume(resumeParams(id, 'second', MINUTE));
    assert.ok(resumed.outcome === 'claimed' && resumed.received === 30);
  });

  ledgerTest(open, 'of a dead process is deleted with its bytes after its deadline', async (ledger) => {
    const id = await begin(ledger);
    await ledger.sweep({ kind: 'dead_claims', limit: 9, now: DEADLINE, ledgerTime: DEADLINE });
    assert.deepEqual(await pendingKeys(ledger), [blobOf(id)]);
    assert.equal(await ledger.find(id), undefined);
    await checkCounters(ledger);
  });
}
