import assert from 'node:assert/strict';
import { describe } from 'node:test';
import { timeOrderedId } from '../../../src/base/ids.ts';
import type { ImportedUpload } from '../../../src/ledger/contract/ledger.ts';
import {
  checkCounters,
  JULIET,
  ledgerTest,
  NOW,
  type OpenTestLedger,
  ROMEO,
  refused,
  reservation,
  store,
} from './fixture.ts';

/** A file of another service, of 100 bytes and Juliet's, but for what is wished otherwise. */
function adoption(wish: Partial<ImportedUpload> = {}): ImportedUpload {
  const storedAt = wish.storedAt ?? NOW - 1000;
  const id = wish.id ?? timeOrderedId(storedAt);
  return {
    id,
    locator: `external:${id}`,
    owner: JULIET,
    purpose: '',
    name: 'old.jpg',
    type: 'image/jpeg',
    size: 100,
    blob: `${id.slice(0, 2)}/${id}.jpg`,
    storedAt,
    expiresAt: null,
    ...wish,
  };
}

export function importSuite(open: OpenTestLedger): void {
  describe('files of another service', () => {
    ledgerTest(
      open,
      'are stored at once, with the time they had, and charged to their owners',
      async (ledger) => {
        const pictures = [
          adoption({ purpose: 'profile' }),
          adoption({ storedAt: NOW - 5000, expiresAt: NOW + 9 }),
        ];
        const other = adoption({ owner: ROMEO, size: 7 });
        const adopted = await ledger.importUploads({ uploads: [...pictures, other] });
        assert.deepEqual(adopted.toSorted(), [...pictures, other].map(({ id }) => id).toSorted());
        assert.deepEqual(await ledger.find(String(pictures[1]?.locator)), {
          ...pictures[1],
          endpoint: 'import',
          state: 'stored',
          createdAt: NOW - 5000,
          deadline: NOW - 5000,
        });
        const { lastUploadAt, ...usage } = (await ledger.listOwners({ limit: 1 }))[0] ?? assert.fail();
        assert.deepEqual(usage, {
          owner: JULIET,
          uploads: 2,
          bytes: 200,
          pendingUploads: 0,
          pendingBytes: 0,
        });
        assert.equal(lastUploadAt, NOW - 1000);
        const limits = { purposeBytes: 150 };
        assert.equal((await refused(ledger, { limits, upload: { purpose: 'profile' } })).used, 100);
        await checkCounters(ledger);
      },
    );

    ledgerTest(open, 'are held against no limit, but leave less room for what comes', async (ledger) => {
      await ledger.importUploads({ uploads: [adoption({ size: 5000 })] });
      const answer = await refused(ledger, { limits: { ownerBytes: 1000 } });
      assert.equal(answer.used, 5000);
      assert.equal(
        (await refused(ledger, { limits: { globalBytes: 1000 }, upload: { owner: ROMEO } })).used,
        5000,
      );
    });

    ledgerTest(
      open,
      'come in once, however often and from however many they come',
      async (ledger, opened) => {
        const files = Array.from({ length: 20 }, (_, i) => adoption({ owner: i % 2 ? ROMEO : JULIET }));
        const other = await opened.openAgain();
        const [first = files[0]] = files;
        const rounds = await Promise.all([
          ledger.importUploads({ uploads: [...files, adoption({ locator: String(first?.locator) })] }),
          other.importUploads({ uploads: files.toReversed() }),
        ]);
        await other.close();
        assert.deepEqual(rounds.flat().toSorted(), files.map(({ id }) => id).toSorted());
        assert.deepEqual(await ledger.importUploads({ uploads: files }), []);
        assert.equal((await ledger.stats()).uploads, 20);
        await checkCounters(ledger);
      },
    );

    ledgerTest(open, 'never take the place of an upload, or of one that was removed', async (ledger) => {
      const claim = { instance: 'here', token: 'token' };
      const locator = 'external:taken';
      await ledger.reserve({ ...reservation({ putKey: null, upload: { locator } }), claim });
      assert.deepEqual(await ledger.importUploads({ uploads: [adoption({ locator, owner: ROMEO })] }), []);
      const gone = adoption();
      await ledger.importUploads({ uploads: [gone] });
      await ledger.remove({ ids: [gone.id], reason: 'deleted', detail: '', now: NOW });
      assert.deepEqual(await ledger.pendingDeletes(9), [gone.blob]);
      assert.deepEqual(await ledger.importUploads({ uploads: [gone] }), []);
      assert.deepEqual(
        (await ledger.listOwners({ limit: 9 })).map(({ owner }) => owner),
        [JULIET],
      );
      await checkCounters(ledger);
    });

    ledgerTest(open, 'keep the latest upload of their owner in mind', async (ledger) => {
      await store(ledger);
      await ledger.importUploads({ uploads: [adoption()] });
      assert.equal((await ledger.listOwners({ limit: 1 }))[0]?.lastUploadAt, NOW);
    });

    ledgerTest(open, 'come in by the thousand', async (ledger) => {
      const files = Array.from({ length: 1000 }, (_, i) => adoption({ owner: `user${i % 30}@example.org` }));
      assert.equal((await ledger.importUploads({ uploads: files })).length, 1000);
      assert.deepEqual(await ledger.importUploads({ uploads: [] }), []);
      await checkCounters(ledger);
    });

    ledgerTest(open, 'are looked for below the paths that are kept in mind', async (ledger) => {
      assert.deepEqual(await ledger.listOldPaths(), []);
      await ledger.addOldPath({ path: '/upload/', namespace: 'file_share' });
      await ledger.addOldPath({ path: '/share/', namespace: 'external' });
      await ledger.addOldPath({ path: '/upload/', namespace: 'external' });
      assert.deepEqual(await ledger.listOldPaths(), [
        { path: '/share/', namespace: 'external' },
        { path: '/upload/', namespace: 'external' },
      ]);
    });
  });
}
