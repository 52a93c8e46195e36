import assert from 'node:assert/strict';
import { describe } from 'node:test';
import { timeOrderedId } from '../../../src/base/ids.ts';
import type { ImportedUpload } from '../../../src/ledger/contract/ledger.ts';
import { pendingKeys } from '../../support/pending-keys.ts';
import {
  checkCounters,
  DAY,
  HOUR,
  JULIET,
  ledgerTest,
  NOW,
  type OpenTestLedger,
  ROMEO,
  refused,
  reservation,
  store,
} from './fixture.ts';

/** Returns a file of another service: 100 bytes, owned by Juliet, if `options` do not change it. */
export function importedUpload(options: Partial<ImportedUpload> = {}): ImportedUpload {
  const storedAt = options.storedAt ?? NOW - 1000;
  const id = options.id ?? timeOrderedId(storedAt);
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
    ...options,
  };
}

export function importSuite(open: OpenTestLedger): void {
  describe('imported uploads', () => {
    ledgerTest(open, 'are announced before their bytes, and leave no bytes without a row', async (ledger) => {
      const [kept, failed, stolen] = [importedUpload(), importedUpload(), importedUpload()];
      const announced = [kept, failed, stolen].map(({ id, blob }) => ({ id, blob }));
      const blobs = announced.map(({ blob }) => blob);
      assert.deepEqual(await ledger.announceImports({ imports: announced, now: NOW }), []);
      const importing = (now: number) => ledger.findImportingBlobs({ blobs, now });
      assert.deepEqual((await importing(NOW + HOUR)).toSorted(), blobs.toSorted());
      assert.deepEqual(await importing(NOW + 2 * DAY), []);
      // Another import of the same file could not read it.
      await ledger.importUploads({ uploads: [], announced: announced.slice(2) });
      assert.deepEqual(await ledger.importUploads({ uploads: [kept, stolen], announced }), [kept.id]);
      assert.deepEqual(await importing(NOW), []);
      const pending = [failed.blob, stolen.blob].toSorted();
      assert.deepEqual((await pendingKeys(ledger)).toSorted(), pending);
      const again = await ledger.announceImports({ imports: announced.slice(1), now: NOW });
      assert.deepEqual(again.toSorted(), pending);
    });

    ledgerTest(open, 'are stored with their original time and charged to their owners', async (ledger) => {
      const pictures = [
        importedUpload({ purpose: 'profile' }),
        importedUpload({ storedAt: NOW - 5000, expiresAt: NOW + 9 }),
      ];
      const other = importedUpload({ owner: ROMEO, size: 7 });
      const imported = await ledger.importUploads({ uploads: [...pictures, other] });
      assert.deepEqual(imported.toSorted(), [...pictures, other].map(({ id }) => id).toSorted());
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
    });

    ledgerTest(open, 'ignore limits, but count against later reservations', async (ledger) => {
      await ledger.importUploads({ uploads: [importedUpload({ size: 5000 })] });
      const result = await refused(ledger, { limits: { ownerBytes: 1000 } });
      assert.equal(result.used, 5000);
      assert.equal(
        (await refused(ledger, { limits: { globalBytes: 1000 }, upload: { owner: ROMEO } })).used,
        5000,
      );
    });

    ledgerTest(open, 'are inserted once by repeated and concurrent imports', async (ledger, opened) => {
      const files = Array.from({ length: 20 }, (_, i) => importedUpload({ owner: i % 2 ? ROMEO : JULIET }));
      const other = await opened.openAgain();
      const [first = files[0]] = files;
      const rounds = await Promise.all([
        ledger.importUploads({ uploads: [...files, importedUpload({ locator: String(first?.locator) })] }),
        other.importUploads({ uploads: files.toReversed() }),
      ]);
      await other.close();
      assert.deepEqual(rounds.flat().toSorted(), files.map(({ id }) => id).toSorted());
      assert.deepEqual(await ledger.importUploads({ uploads: files }), []);
      assert.equal((await ledger.stats()).uploads, 20);
      await checkCounters(ledger);
    });

    ledgerTest(open, 'do not replace existing or removed uploads', async (ledger) => {
      const claim = { instance: 'here', token: 'token' };
      const locator = 'external:taken';
      await ledger.reserve({ ...reservation({ putKey: null, upload: { locator } }), claim });
      assert.deepEqual(
        await ledger.importUploads({ uploads: [importedUpload({ locator, owner: ROMEO })] }),
        [],
      );
      const removed = importedUpload();
      await ledger.importUploads({ uploads: [removed] });
      await ledger.remove({ ids: [removed.id], reason: 'deleted', detail: '', now: NOW });
      assert.deepEqual(await pendingKeys(ledger), [removed.blob]);
      assert.deepEqual(await ledger.importUploads({ uploads: [removed] }), []);
      assert.deepEqual(
        (await ledger.listOwners({ limit: 9 })).map(({ owner }) => owner),
        [JULIET],
      );
      await checkCounters(ledger);
    });

    ledgerTest(open, 'do not change a later lastUploadAt of their owner', async (ledger) => {
      await store(ledger);
      await ledger.importUploads({ uploads: [importedUpload()] });
      assert.equal((await ledger.listOwners({ limit: 1 }))[0]?.lastUploadAt, NOW);
    });

    ledgerTest(open, 'are inserted up to 1,000 at a time', async (ledger) => {
      const files = Array.from({ length: 1000 }, (_, i) =>
        importedUpload({ owner: `user${i % 30}@example.org` }),
      );
      assert.equal((await ledger.importUploads({ uploads: files })).length, 1000);
      assert.deepEqual(await ledger.importUploads({ uploads: [] }), []);
      await checkCounters(ledger);
    });

    ledgerTest(open, 'have old paths that can be listed and changed', async (ledger) => {
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
