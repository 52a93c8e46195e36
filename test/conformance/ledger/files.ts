import assert from 'node:assert/strict';
import { describe } from 'node:test';
import {
  type FileQuery,
  type Ledger,
  type PageKey,
  unlimitedRestore,
} from '../../../src/ledger/contract/ledger.ts';
import { pendingKeys } from '../../support/pending-keys.ts';
import {
  checkCounters,
  DAY,
  issue,
  JULIET,
  ledgerTest,
  NOW,
  type OpenTestLedger,
  ROMEO,
  SECOND,
  store,
} from './fixture.ts';

const MIB = 1_048_576;

/** Reads all pages of a list and returns the names of the files. */
async function listNames(ledger: Ledger, query: Partial<FileQuery> = {}): Promise<string[]> {
  const names: string[] = [];
  for (let after: PageKey | undefined; ; ) {
    const page = await ledger.listFiles({
      sort: 'newest',
      state: 'stored',
      limit: 2,
      ...query,
      ...(after && { after }),
    });
    names.push(...page.files.map(({ name }) => name));
    if (page.next === null) return names;
    after = page.next;
  }
}

async function storeNamed(
  ledger: Ledger,
  name: string,
  size: number,
  at: number,
  owner = JULIET,
): Promise<string> {
  const type = name.endsWith('.png') ? 'image/png' : 'video/mp4';
  return store(ledger, { now: NOW + at, upload: { name, size, type, owner } });
}

const REMOVAL = { reason: 'deleted', detail: 'deleted by admin@example.org', now: NOW + DAY } as const;

export function fileListSuite(open: OpenTestLedger): void {
  describe('lists of files', () => {
    ledgerTest(open, 'of an owner can be read in every order, page by page', async (ledger) => {
      await storeNamed(ledger, 'b.mp4', 3 * MIB, 0);
      await storeNamed(ledger, 'A.png', 10, 2 * SECOND);
      await storeNamed(ledger, 'c.png', 10, 4 * SECOND);
      await storeNamed(ledger, 'of-romeo.png', 5, 6 * SECOND, ROMEO);
      await issue(ledger, { now: NOW + 8 * SECOND, upload: { name: 'unused.png' } });
      const owners = [JULIET, 'another name of juliet'];
      const list = (sort: FileQuery['sort']) => listNames(ledger, { owners, sort });
      assert.deepEqual(await list('newest'), ['c.png', 'A.png', 'b.mp4']);
      assert.deepEqual(await list('oldest'), ['b.mp4', 'A.png', 'c.png']);
      assert.deepEqual((await list('largest'))[0], 'b.mp4');
      assert.deepEqual((await list('smallest')).at(-1), 'b.mp4');
      assert.deepEqual(await list('name'), ['A.png', 'b.mp4', 'c.png']);
      assert.deepEqual(await listNames(ledger, { owners: ['unknown@example.org'] }), []);
      assert.deepEqual(await listNames(ledger, { owners, state: 'issued' }), ['unused.png']);
      const [first] = (await ledger.listFiles({ sort: 'newest', state: 'stored', limit: 1 })).files;
      const ids = [first?.id ?? ''];
      assert.deepEqual(await listNames(ledger, { ids }), ['of-romeo.png']);
      assert.deepEqual(await listNames(ledger, { ids, owners }), []);
      assert.deepEqual(
        await ledger.remove({ ...REMOVAL, ids, owners }),
        [],
        'an owner can remove only their own files',
      );
      assert.equal((await ledger.remove({ ...REMOVAL, ids, owners: [ROMEO] })).length, 1);
    });

    ledgerTest(
      open,
      'of all owners can be filtered; sorted by size, they have only large files',
      async (ledger) => {
        await storeNamed(ledger, '100%_cat.png', 2 * MIB, 0);
        await storeNamed(ledger, 'Cat.mp4', 3 * MIB, 2 * SECOND, ROMEO);
        await storeNamed(ledger, 'dog.png', 20, 4 * SECOND);
        assert.deepEqual(await listNames(ledger), ['dog.png', 'Cat.mp4', '100%_cat.png']);
        assert.deepEqual(await listNames(ledger, { sort: 'largest' }), ['Cat.mp4', '100%_cat.png']);
        assert.deepEqual(await listNames(ledger, { text: 'CAT' }), ['Cat.mp4', '100%_cat.png']);
        assert.deepEqual(await listNames(ledger, { text: '%_c' }), ['100%_cat.png']);
        assert.deepEqual(await listNames(ledger, { type: 'image/' }), ['dog.png', '100%_cat.png']);
        assert.deepEqual(await listNames(ledger, { minSize: 20, maxSize: 2 * MIB }), [
          'dog.png',
          '100%_cat.png',
        ]);
        assert.deepEqual(await listNames(ledger, { createdFrom: NOW + 2 * SECOND }), ['dog.png', 'Cat.mp4']);
        assert.deepEqual(await listNames(ledger, { createdBefore: NOW + 2 * SECOND }), ['100%_cat.png']);
      },
    );

    ledgerTest(open, 'list users by name and by size', async (ledger) => {
      await storeNamed(ledger, 'a.png', 10, 0);
      await storeNamed(ledger, 'b.png', 20, 0, ROMEO);
      await issue(ledger, { upload: { owner: 'mercutio@example.org' } });
      const list = async (query: Partial<Parameters<Ledger['listUsers']>[0]>) => {
        const { users } = await ledger.listUsers({ sort: 'name', limit: 10, ...query });
        return users.map(({ owner }) => owner);
      };
      assert.deepEqual(await list({}), [JULIET, 'mercutio@example.org', ROMEO]);
      assert.deepEqual(await list({ sort: 'largest' }), [ROMEO, JULIET, 'mercutio@example.org']);
      assert.deepEqual(await list({ prefix: 'm' }), ['mercutio@example.org']);
      const first = await ledger.listUsers({ sort: 'largest', limit: 1 });
      assert.deepEqual(await list({ sort: 'largest', ...(first.next && { after: first.next }) }), [
        JULIET,
        'mercutio@example.org',
      ]);
    });

    ledgerTest(open, 'have a sample of the stored files and bytes for each hour', async (ledger) => {
      const hour = Math.floor(NOW / 3_600_000) * 3_600_000;
      await ledger.recordUsage({ now: NOW });
      await storeNamed(ledger, 'a.png', 10, 0);
      await ledger.recordUsage({ now: NOW });
      await ledger.recordUsage({ now: NOW + DAY });
      const samples = await ledger.listUsageHistory({ since: hour });
      assert.deepEqual(samples, [
        { at: hour, files: 0, bytes: 0 },
        { at: hour + DAY, files: 1, bytes: 10 },
      ]);
      await ledger.sweep({ kind: 'usage_history', limit: 10, now: hour + 401 * DAY });
      assert.deepEqual(await ledger.listUsageHistory({ since: 0 }), []);
    });

    ledgerTest(open, 'the expiry of a file can be set by its owner only', async (ledger) => {
      const id = await store(ledger);
      assert.equal(await ledger.setExpiry({ id, owners: [ROMEO], expiresAt: NOW }), undefined);
      const changed = await ledger.setExpiry({ id, owners: [JULIET], expiresAt: NOW + DAY });
      assert.equal(changed?.expiresAt, NOW + DAY);
      assert.equal((await ledger.find(id))?.expiresAt, NOW + DAY);
      await ledger.setExpiry({ id, owners: [JULIET], expiresAt: null });
      assert.equal((await ledger.find(id))?.expiresAt, null);
    });
  });

  describe('the trash', () => {
    ledgerTest(open, 'keeps removed files with their bytes, and charges them to no quota', async (ledger) => {
      const id = await store(ledger, { upload: { purpose: 'profile' } });
      const before = await ledger.find(id);
      await ledger.remove({ ...REMOVAL, ids: [id], restorableUntil: NOW + 2 * DAY });
      assert.equal(await ledger.find(id), undefined);
      assert.equal((await ledger.usage(JULIET)).bytes, 0);
      assert.deepEqual(await pendingKeys(ledger), []);
      const blob = before?.blob ?? '';
      assert.deepEqual(await ledger.findKnownBlobs([{ id, blob }]), [blob], 'it is not an orphan for fsck');
      const [trashed] = await ledger.listTrash({ owners: [JULIET], limit: 10 });
      assert.equal(trashed?.name, 'balcony.jpg');
      assert.deepEqual(await ledger.listTrash({ owners: [ROMEO], limit: 10 }), []);
      assert.equal((await ledger.listTrash({ ids: [id], owners: [JULIET], limit: 10 })).length, 1);
      assert.deepEqual(await ledger.listTrash({ ids: ['other'], owners: [JULIET], limit: 10 }), []);
      const key = { removedAt: trashed?.removedAt ?? 0, id };
      assert.deepEqual(await ledger.listTrash({ before: key, limit: 10 }), []);

      const restoring = { limits: unlimitedRestore, ids: [id], now: NOW + DAY };
      const nothing = { restored: [], kept: [] };
      assert.deepEqual(await ledger.restoreFromTrash({ ...restoring, owners: [ROMEO] }), nothing);
      const {
        restored: [restored],
      } = await ledger.restoreFromTrash({ ...restoring, owners: [JULIET] });
      assert.deepEqual(restored, before);
      assert.deepEqual(await ledger.find(id), before);
      assert.equal(await ledger.findRemoval(id), undefined, 'the record of the removal is gone');
      assert.deepEqual(await ledger.restoreFromTrash(restoring), nothing);
      await checkCounters(ledger);
    });

    for (const { limit, limits } of [
      { limit: 'ownerBytes', limits: { ownerBytes: 200 } },
      { limit: 'ownerFiles', limits: { ownerFiles: 2 } },
      { limit: 'purposeBytes', limits: { purposeBytes: { profile: 200 } } },
      { limit: 'globalBytes', limits: { globalBytes: 200 } },
    ] as const) {
      ledgerTest(open, `keeps files that exceed ${limit}, as an upload would`, async (ledger) => {
        const upload = { purpose: 'profile' };
        const ids = [await store(ledger, { upload }), await store(ledger, { upload })];
        await ledger.remove({ ...REMOVAL, ids, restorableUntil: NOW + 2 * DAY });
        await store(ledger, { upload });
        const params = { ids, limits: { ...unlimitedRestore, ...limits }, now: NOW + DAY };
        const { restored, kept } = await ledger.restoreFromTrash(params);
        assert.equal(restored.length, 1);
        const [left] = await ledger.listTrash({ limit: 10 });
        assert.deepEqual(kept, [{ id: left?.id, reason: limit }]);
        await checkCounters(ledger);
      });
    }

    ledgerTest(open, 'keeps blocked files, and reports the reason', async (ledger) => {
      const id = await store(ledger);
      const file = await ledger.find(id);
      const sha256 = 'a'.repeat(64);
      assert.equal(await ledger.recordHash({ id, blob: file?.blob ?? '', sha256 }), true);
      await ledger.remove({ ...REMOVAL, ids: [id], restorableUntil: NOW + 2 * DAY });
      await ledger.blockHash({ sha256, reason: 'spam', blockedBy: 'admin', blockedAt: NOW, size: 100 });
      const limits = { ...unlimitedRestore, ownerBytes: 50 };
      assert.deepEqual(await ledger.restoreFromTrash({ ids: [id], limits, now: NOW + DAY }), {
        restored: [],
        kept: [{ id, reason: 'blocked' }],
      });
    });

    ledgerTest(open, 'is not touched if no file or no owner is selected', async (ledger) => {
      const [stored, id] = [await store(ledger), await store(ledger)];
      await ledger.remove({ ...REMOVAL, ids: [id], restorableUntil: NOW + 2 * DAY });
      const nothing = { restored: [], kept: [] };
      const restoring = { limits: unlimitedRestore, now: NOW + DAY };
      assert.deepEqual(await ledger.restoreFromTrash({ ...restoring, ids: [] }), nothing);
      assert.deepEqual(await ledger.restoreFromTrash({ ...restoring, ids: [id], owners: [] }), nothing);
      assert.deepEqual(await ledger.listTrash({ ids: [], limit: 10 }), []);
      assert.equal(await ledger.purgeTrash({ ids: [], limit: 10 }), 0);
      assert.equal((await ledger.listTrash({ limit: 10 })).length, 1);
      assert.deepEqual(await listNames(ledger, { ids: [] }), []);
      assert.deepEqual(await listNames(ledger, { owners: [] }), []);
      assert.equal(await ledger.setExpiry({ id: stored, owners: [], expiresAt: NOW }), undefined);
      assert.deepEqual(await ledger.remove({ ...REMOVAL, ids: [stored], owners: [] }), []);
    });

    ledgerTest(open, 'is emptied by a sweep when its time has passed', async (ledger) => {
      const id = await store(ledger);
      const blob = (await ledger.find(id))?.blob ?? '';
      await ledger.remove({ ...REMOVAL, ids: [id], restorableUntil: NOW + 2 * DAY });
      const sweep = (now: number) => ledger.sweep({ kind: 'trash', limit: 10, now });
      assert.deepEqual(await sweep(NOW + 2 * DAY - 1), { count: 0, bytes: 0 });
      assert.deepEqual(await sweep(NOW + 2 * DAY), { count: 1, bytes: 100 });
      assert.deepEqual(await pendingKeys(ledger), [blob]);
      assert.deepEqual(await ledger.listTrash({ limit: 10 }), []);
    });

    ledgerTest(open, 'restores no file after its time', async (ledger) => {
      const id = await store(ledger);
      await ledger.remove({ ...REMOVAL, ids: [id], restorableUntil: NOW + 2 * DAY });
      const restoring = { limits: unlimitedRestore, ids: [id], now: NOW + 2 * DAY };
      assert.deepEqual(await ledger.restoreFromTrash(restoring), { restored: [], kept: [] });
      assert.equal((await pendingKeys(ledger)).length, 1);
    });

    ledgerTest(open, 'is purged of the files of a forgotten user', async (ledger) => {
      const id = await store(ledger);
      await ledger.remove({ ...REMOVAL, ids: [id], restorableUntil: NOW + 2 * DAY });
      for (let left = 1; left > 0; )
        ({ left } = await ledger.forget({ owner: JULIET, limit: 1, now: NOW + DAY }));
      assert.deepEqual(await ledger.listTrash({ limit: 10 }), []);
      assert.equal((await pendingKeys(ledger)).length, 1);
    });

    ledgerTest(open, 'never contains a slot without a file', async (ledger) => {
      const id = await issue(ledger);
      await ledger.remove({ ...REMOVAL, ids: [id], restorableUntil: NOW + 2 * DAY });
      assert.deepEqual(await ledger.listTrash({ limit: 10 }), []);
    });
  });
}
