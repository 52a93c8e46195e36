import assert from 'node:assert/strict';
import { describe } from 'node:test';
import type { Upload } from '../../../src/base/upload-records.ts';
import {
  type BlockedHash,
  type Ledger,
  type QuarantineParams,
  unlimitedRestore,
} from '../../../src/ledger/contract/ledger.ts';
import { pendingKeys } from '../../support/pending-keys.ts';
import {
  attempt,
  checkCounters,
  claimSlot,
  DAY,
  heartbeatOf,
  issue,
  JULIET,
  ledgerTest,
  NOW,
  type OpenTestLedger,
  reservation,
  store,
} from './fixture.ts';

const SHA256 = 'a'.repeat(64);

/** Returns the parameters to quarantine the attempt of a claimed slot. */
function found(upload: Upload, change: Partial<QuarantineParams> = {}): QuarantineParams {
  return {
    upload,
    holds: { claim: `token of ${upload.id}` },
    sha256: SHA256,
    signature: 'Test.Signature',
    keepsBytes: true,
    now: NOW,
    purgeAt: NOW + DAY,
    ...change,
  };
}

const listIds = async (ledger: Ledger) => (await ledger.listQuarantine({ limit: 10 })).map(({ id }) => id);

function blocked(change: Partial<BlockedHash> = {}): BlockedHash {
  return {
    sha256: SHA256,
    reason: 'spam',
    blockedBy: 'admin@example.org',
    blockedAt: NOW,
    size: 100,
    ...change,
  };
}

export function contentSuite(open: OpenTestLedger): void {
  describe('infected files', () => {
    ledgerTest(open, 'lose their slot and their charge, and keep their bytes', async (ledger) => {
      const upload = await claimSlot(ledger, await issue(ledger));
      assert.equal(await ledger.quarantine(found(upload)), true);
      assert.equal(await ledger.find(upload.id), undefined);
      assert.deepEqual((await ledger.usage(JULIET)).pendingBytes, 0);
      await checkCounters(ledger);
      assert.deepEqual(await pendingKeys(ledger), []);
      const [file] = await ledger.listQuarantine({ limit: 10 });
      assert.ok(file);
      assert.deepEqual([file.owner, file.blob, file.sha256], [JULIET, upload.blob, SHA256]);
      assert.deepEqual([file.signature, file.foundAt, file.purgeAt], ['Test.Signature', NOW, NOW + DAY]);
      const putKey = `key of ${upload.id}`;
      assert.equal((await ledger.findQuarantined({ putKey }))?.id, upload.id);
      assert.equal((await ledger.findQuarantined({ locator: upload.id }))?.id, upload.id);
      // The failed PUT ends its claim afterwards, and fsck and the sweep ask for files without an upload.
      await ledger.release({ ...attempt(upload.id, `token of ${upload.id}`), now: NOW });
      assert.deepEqual(await pendingKeys(ledger), []);
      const known = await ledger.findKnownBlobs([{ id: upload.id, blob: upload.blob }]);
      assert.deepEqual(known, [upload.blob]);
    });

    ledgerTest(open, 'are not recorded by an attempt that has lost its claim or slot', async (ledger) => {
      const upload = await claimSlot(ledger, await issue(ledger));
      assert.equal(await ledger.quarantine(found(upload, { holds: { claim: 'other' } })), false);
      assert.equal(await ledger.quarantine(found(upload, { holds: 'slot' })), false);
      assert.deepEqual(await listIds(ledger), []);
      assert.deepEqual(await pendingKeys(ledger), [upload.blob]);
    });

    ledgerTest(
      open,
      'of a small PUT need no claim, and leave only a record if they are not kept',
      async (ledger) => {
        const id = await issue(ledger);
        const slot = await ledger.find(id);
        assert.ok(slot);
        const upload = { ...slot, blob: attempt(id, 'tag').blob };
        assert.equal(await ledger.quarantine(found(upload, { holds: 'slot', keepsBytes: false })), true);
        assert.equal((await ledger.findQuarantined({ putKey: `key of ${id}` }))?.blob, null);
        assert.deepEqual(await pendingKeys(ledger), [upload.blob]);
        assert.equal(await ledger.releaseQuarantined({ id, now: NOW }), undefined);
        await checkCounters(ledger);
      },
    );

    ledgerTest(open, 'of a signed link replace the earlier file of the same link', async (ledger) => {
      const locator = 'external:abc';
      const add = async () => {
        const { upload } = reservation({ upload: { locator, owner: 'new@example.org' } });
        const file: Upload = { ...upload, state: 'issued', createdAt: NOW, storedAt: null };
        await ledger.quarantine(found(file, { holds: 'nothing' }));
        return file;
      };
      const first = await add();
      const second = await add();
      assert.deepEqual(await listIds(ledger), [second.id]);
      assert.deepEqual(await pendingKeys(ledger), [first.blob]);
      const released = await ledger.releaseQuarantined({ id: second.id, now: NOW });
      assert.equal(released?.owner, 'new@example.org');
      assert.equal((await ledger.find(locator))?.sha256, SHA256);
      await checkCounters(ledger);
    });

    ledgerTest(open, 'can be released to the link of their owner, who is charged', async (ledger) => {
      const upload = await claimSlot(ledger, await issue(ledger));
      await ledger.quarantine(found(upload));
      const released = await ledger.releaseQuarantined({ id: upload.id, now: NOW });
      assert.deepEqual([released?.state, released?.blob], ['stored', upload.blob]);
      assert.equal((await ledger.find(upload.id))?.state, 'stored');
      assert.equal((await ledger.usage(JULIET)).bytes, 100);
      await checkCounters(ledger);
      assert.deepEqual(await listIds(ledger), []);
      assert.equal(await ledger.releaseQuarantined({ id: upload.id, now: NOW }), undefined);
    });

    ledgerTest(open, 'are deleted one by one, by the sweep, and with their owner', async (ledger) => {
      const add = async (purgeAt: number) => {
        const upload = await claimSlot(ledger, await issue(ledger));
        await ledger.quarantine(found(upload, { purgeAt }));
        return upload;
      };
      const files = [await add(NOW + 1), await add(NOW + DAY), await add(NOW + DAY)];
      const [swept, deleted, forgotten] = files;
      const step = { kind: 'quarantine', now: NOW + 1, limit: 10 } as const;
      assert.equal((await ledger.sweep({ ...step, dryRun: true })).count, 1);
      assert.equal((await ledger.sweep(step)).count, 1);
      assert.deepEqual(await pendingKeys(ledger), [swept?.blob]);
      assert.equal(await ledger.deleteQuarantined({ ids: [], limit: 10 }), 0);
      assert.equal(await ledger.deleteQuarantined({ ids: [deleted?.id ?? '', 'unknown'], limit: 10 }), 1);
      assert.deepEqual(await listIds(ledger), [forgotten?.id]);
      await ledger.forget({ owner: JULIET, limit: 10, now: NOW });
      assert.deepEqual(await listIds(ledger), []);
      assert.deepEqual((await pendingKeys(ledger)).toSorted(), files.map(({ blob }) => blob).toSorted());
    });

    ledgerTest(open, 'are listed page by page, those found last first', async (ledger) => {
      for (const now of [NOW, NOW + 1, NOW + 2]) {
        const upload = await claimSlot(ledger, await issue(ledger));
        await ledger.quarantine(found(upload, { now }));
      }
      const [last, middle] = await ledger.listQuarantine({ limit: 2 });
      assert.deepEqual([last?.foundAt, middle?.foundAt], [NOW + 2, NOW + 1]);
      assert.ok(middle);
      const rest = await ledger.listQuarantine({ before: middle, limit: 2 });
      assert.deepEqual(
        rest.map(({ foundAt }) => foundAt),
        [NOW],
      );
      assert.deepEqual(await ledger.listQuarantine({ id: middle.id, limit: 1 }), [middle]);
    });
  });

  describe('hashes of files', () => {
    ledgerTest(open, 'and scans are recorded with the file, also in the trash', async (ledger) => {
      const id = await issue(ledger);
      const upload = await claimSlot(ledger, id);
      const content = { sha256: SHA256, scan: 'unavailable' } as const;
      const { blob } = upload;
      await ledger.commit({ id, token: `token of ${id}`, blob, now: NOW, size: 100, content });
      await ledger.remove({ ids: [id], reason: 'deleted', detail: '', now: NOW, restorableUntil: NOW + DAY });
      await ledger.restoreFromTrash({ ids: [id], limits: unlimitedRestore, now: NOW });
      const file = await ledger.find(id);
      assert.deepEqual([file?.sha256, file?.scan], [SHA256, 'unavailable']);
      const clean = await store(ledger);
      const list = async (isUnscanned: boolean) => {
        const query = {
          sort: 'newest',
          state: 'stored',
          limit: 10,
          ...(isUnscanned && { isUnscanned }),
        } as const;
        return (await ledger.listFiles(query)).files.map((one) => one.id).toSorted();
      };
      assert.deepEqual(await list(true), [id]);
      assert.deepEqual(await list(false), [id, clean].toSorted());
    });

    ledgerTest(open, 'are found, and can be added later unless the bytes have changed', async (ledger) => {
      const ids = [await store(ledger), await store(ledger)];
      const [first] = ids;
      const file = await ledger.find(first ?? '');
      assert.ok(file);
      assert.equal(await ledger.recordHash({ id: file.id, blob: 'other', sha256: SHA256 }), false);
      assert.equal(await ledger.recordHash({ ...file, sha256: SHA256 }), true);
      assert.deepEqual(
        (await ledger.listByHash({ sha256: SHA256, limit: 10 })).map(({ id }) => id),
        [file.id],
      );
      assert.deepEqual(await ledger.listByHash({ sha256: SHA256, after: file.id, limit: 10 }), []);
    });

    ledgerTest(
      open,
      'are blocked in all processes until they are unblocked',
      async (ledger, { openAgain }) => {
        assert.equal(await ledger.hasBlockedHashes(), false);
        assert.equal(await ledger.blockHash(blocked()), true);
        assert.equal(await ledger.blockHash(blocked({ reason: 'again' })), false);
        const other = { sha256: 'b'.repeat(64), blockedAt: NOW + 1, size: null };
        await ledger.blockHash(blocked(other));
        const second = await openAgain();
        assert.equal(await second.hasBlockedHashes(), true);
        assert.deepEqual(await second.findBlockedHash(SHA256), blocked());
        await second.close();
        assert.deepEqual(await ledger.listBlockedHashes({ limit: 1 }), [blocked(other)]);
        assert.deepEqual(await ledger.listBlockedHashes({ before: blocked(other), limit: 9 }), [blocked()]);
        assert.equal(await ledger.unblockHash(SHA256), true);
        assert.equal(await ledger.unblockHash(SHA256), false);
        assert.equal(await ledger.findBlockedHash(SHA256), undefined);
      },
    );

    ledgerTest(open, 'of small files are recorded by the transaction that stores them', async (ledger) => {
      await ledger.heartbeat(heartbeatOf('here', NOW));
      const file = { instance: 'here', content: { sha256: SHA256, scan: 'clean' } } as const;
      const id = await issue(ledger);
      const { blob } = attempt(id, 'tag');
      assert.equal(await ledger.storeSlot({ id, size: 100, now: NOW, blob, ...file }), true);
      const { putKey: _, ...order } = reservation({ upload: { locator: 'external:abc' } });
      await ledger.storeNew({ ...order, file: { ...file, blob: attempt(order.upload.id, 'tag').blob } });
      for (const locator of [id, 'external:abc']) {
        const stored = await ledger.find(locator);
        assert.deepEqual([stored?.sha256, stored?.scan], [SHA256, 'clean']);
      }
    });
  });
}
