import assert from 'node:assert/strict';
import { describe } from 'node:test';
import { randomId } from '../../../src/base/ids.ts';
import type { ImportedUpload, RemovedForRoom } from '../../../src/ledger/contract/ledger.ts';
import { pendingKeys } from '../../support/pending-keys.ts';
import {
  attempt,
  checkCounters,
  DAY,
  HOUR,
  issue,
  JULIET,
  ledgerTest,
  lifetimes,
  NOW,
  type OpenTestLedger,
  ROMEO,
  refused,
  reservation,
  SECOND,
  SLOT_TIME,
  store,
  storeSlot,
} from './fixture.ts';
import { importedUpload } from './import.ts';

const kept = { ownerBytes: 1000 };
const hourly = (bytes: number) => ({ bytesPer: { period: HOUR, bytes } });

export function reserveSuite(open: OpenTestLedger): void {
  describe('reserve', () => {
    ledgerTest(open, 'inserts the slot as requested', async (ledger) => {
      const order = reservation({
        upload: { purpose: 'profile', expiresAt: NOW + DAY, name: 'Ünïcode 🎭.png' },
      });
      assert.deepEqual(await ledger.reserve(order), { granted: true });
      assert.deepEqual(await ledger.find(order.upload.id), {
        ...order.upload,
        state: 'issued',
        createdAt: NOW,
        storedAt: null,
      });
      assert.deepEqual(
        await ledger.findByPutKey(`key of ${order.upload.id}`),
        await ledger.find(order.upload.id),
      );
    });

    ledgerTest(open, 'grants exactly as many concurrent requests as the quota allows', async (ledger) => {
      const asked = Array.from({ length: 200 }, () =>
        ledger.reserve(reservation({ limits: { ownerBytes: 10_000 } })),
      );
      const answers = await Promise.all(asked);
      assert.equal(answers.filter(({ granted }) => granted).length, 100);
      assert.deepEqual(await ledger.usage(JULIET), {
        uploads: 0,
        bytes: 0,
        pendingUploads: 100,
        pendingBytes: 10_000,
      });
      await checkCounters(ledger);
    });

    ledgerTest(open, 'enforces one quota over two processes', async (ledger, opened) => {
      const other = await opened.openAgain();
      const limits = { ownerBytes: 5000, globalBytes: 20_000 };
      const asked = Array.from({ length: 100 }, (_, i) =>
        (i % 2 === 0 ? ledger : other).reserve(reservation({ limits })),
      );
      const answers = await Promise.all(asked);
      assert.equal(answers.filter(({ granted }) => granted).length, 50);
      await checkCounters(other);
      await other.close();
    });

    ledgerTest(open, 'counts stored uploads and pending slots up to the last byte', async (ledger) => {
      await store(ledger, { upload: { size: 600 }, limits: kept });
      await issue(ledger, { upload: { size: 300 }, limits: kept });
      const { limit, used, allowed } = await refused(ledger, { upload: { size: 101 }, limits: kept });
      assert.deepEqual({ limit, used, allowed }, { limit: 'ownerBytes', used: 900, allowed: 1000 });
      await issue(ledger, { upload: { size: 100 }, limits: kept });
    });

    ledgerTest(open, 'counts stored files and pending slots of any size', async (ledger) => {
      const limits = { ownerFiles: 3 };
      const stored = await store(ledger, { upload: { size: 1 }, limits });
      await store(ledger, { upload: { size: 5000, purpose: 'profile' }, limits });
      await issue(ledger, { limits });
      assert.deepEqual(await refused(ledger, { upload: { size: 1 }, limits }), {
        granted: false,
        limit: 'ownerFiles',
        used: 3,
        allowed: 3,
        retryAt: NOW + SLOT_TIME,
      });
      await issue(ledger, { upload: { owner: ROMEO }, limits });
      await ledger.remove({ ids: [stored], reason: 'deleted', detail: '', now: NOW });
      await issue(ledger, { limits });
      await checkCounters(ledger);
    });

    ledgerTest(open, 'grants exactly as many concurrent requests as files are allowed', async (ledger) => {
      const asked = Array.from({ length: 40 }, () =>
        ledger.reserve(reservation({ limits: { ownerFiles: 15 } })),
      );
      assert.equal((await Promise.all(asked)).filter(({ granted }) => granted).length, 15);
    });

    ledgerTest(open, 'names when a file frees its place, also under a lowered limit', async (ledger) => {
      await store(ledger, { upload: { purpose: 'profile' } });
      await store(ledger, { upload: { expiresAt: NOW + HOUR } });
      await store(ledger);
      const retryAt = async (ownerFiles: number) =>
        (await refused(ledger, { limits: { ownerFiles } })).retryAt;
      assert.equal(await retryAt(3), NOW + HOUR);
      assert.equal(await retryAt(2), NOW + 30 * DAY);
      assert.equal(await retryAt(1), null, 'the profile picture has no maximum age');
    });

    ledgerTest(open, 'counts quotas of owners and purposes separately', async (ledger) => {
      const limits = { ownerBytes: 1000, purposeBytes: 200 };
      await store(ledger, { upload: { size: 200, purpose: 'profile' }, limits });
      const answer = await refused(ledger, { upload: { size: 1, purpose: 'profile' }, limits });
      assert.deepEqual(answer, {
        granted: false,
        limit: 'purposeBytes',
        used: 200,
        allowed: 200,
        retryAt: null,
      });
      await store(ledger, { upload: { size: 200, purpose: 'ephemeral' }, limits });
      await store(ledger, { upload: { size: 200 }, limits });
      assert.equal((await refused(ledger, { upload: { size: 1 }, limits })).used, 200);
      await store(ledger, { upload: { size: 200, owner: ROMEO, purpose: 'profile' }, limits });
    });

    ledgerTest(open, 'enforces the quota of all owners together', async (ledger) => {
      const limits = { globalBytes: 1000 };
      await store(ledger, { upload: { size: 500 }, limits });
      await issue(ledger, { upload: { size: 400, owner: ROMEO }, limits });
      const { retryAt, ...answer } = await refused(ledger, { upload: { size: 101 }, limits });
      assert.deepEqual(answer, { granted: false, limit: 'globalBytes', used: 900, allowed: 1000 });
      assert.equal(retryAt, NOW + SLOT_TIME, 'the deadline of Romeo’s slot');
      await issue(ledger, { upload: { size: 400 }, limits, now: NOW + SLOT_TIME });
    });

    ledgerTest(open, 'removes a bounded number of files per transaction to make room', async (ledger) => {
      const upload = { owner: JULIET, size: 1 };
      const files = (options: Partial<ImportedUpload>) =>
        Array.from({ length: 600 }, () => importedUpload({ ...upload, ...options }));
      const wanted = reservation({ upload: { size: 1000 }, limits: { ownerBytes: 1500 }, evict: true });
      await ledger.importUploads({ uploads: files({ expiresAt: NOW }) });
      await ledger.importUploads({ uploads: files({}) });
      await ledger.importUploads({ uploads: files({}) });
      const seen: RemovedForRoom[] = [];
      for (let result = await ledger.reserve(wanted); ; result = await ledger.reserve(wanted)) {
        for (const removed of result.removed ?? [])
          assert.ok(removed.uploads <= 500, JSON.stringify(removed));
        seen.push(...(result.removed ?? []));
        if (result.granted) break;
        assert.equal(result.limit, 'batch');
        assert.ok(result.removed, 'each repetition removes some');
        await checkCounters(ledger);
      }
      const total = (reason: string) =>
        seen.filter((one) => one.reason === reason).reduce((sum, { uploads }) => sum + uploads, 0);
      assert.deepEqual([total('expired'), total('evicted')], [600, 700]);
      const usage = { uploads: 500, bytes: 500, pendingUploads: 1, pendingBytes: 1000 };
      assert.deepEqual(await ledger.usage(JULIET), usage);
      await checkCounters(ledger);
    });

    ledgerTest(open, 'evicts nothing for a request that the quota of the service refuses', async (ledger) => {
      const files = (owner: string) =>
        Array.from({ length: 600 }, () => importedUpload({ owner, size: 1, storedAt: NOW }));
      await ledger.importUploads({ uploads: files(JULIET) });
      await ledger.importUploads({ uploads: files(ROMEO) });
      const limits = { ownerBytes: 600, globalBytes: 1100 };
      const result = await ledger.reserve(reservation({ upload: { size: 550 }, limits, evict: true }));
      assert.deepEqual(
        [result.granted, 'limit' in result && result.limit, result.removed],
        [false, 'globalBytes', undefined],
      );
      assert.equal((await ledger.usage(JULIET)).uploads, 600);
    });

    ledgerTest(open, 'inserts nothing for a refused request, not even an owner', async (ledger) => {
      await refused(ledger, { upload: { size: 11 }, limits: { ownerBytes: 10 } });
      assert.deepEqual(await ledger.listOwners({ limit: 10 }), []);
      assert.equal((await ledger.stats()).owners, 0);
    });

    ledgerTest(open, 'returns no retryAt for a file larger than the limit', async (ledger) => {
      for (const limits of [
        { ownerBytes: 99 },
        { purposeBytes: 99 },
        { globalBytes: 99 },
        hourly(99),
        { uploadsPer: { period: HOUR, uploads: 0 } },
      ]) {
        assert.equal((await refused(ledger, { limits })).retryAt, null);
      }
    });

    ledgerTest(open, 'returns the violated limit that lasts longest', async (ledger) => {
      const limits = { ...kept, ...hourly(1000) };
      await store(ledger, { upload: { size: 1000 }, limits });
      const answer = await refused(ledger, { limits, now: NOW + SECOND });
      assert.deepEqual(answer, {
        granted: false,
        limit: 'ownerBytes',
        used: 1000,
        allowed: 1000,
        retryAt: NOW + 30 * DAY,
      });
    });
    reserveRates(open);
    reserveReturns(open);
    reserveEvicts(open);
    reserveLocators(open);
  });
}

function reserveRates(open: OpenTestLedger): void {
  describe('upload rates', () => {
    ledgerTest(open, 'expire a single charge exactly one period later', async (ledger) => {
      await store(ledger, { limits: hourly(100) });
      const answer = await refused(ledger, { limits: hourly(100), now: NOW + 1 });
      assert.deepEqual(answer, {
        granted: false,
        limit: 'bytesPer',
        used: 100,
        allowed: 100,
        retryAt: NOW + HOUR,
      });
      await refused(ledger, { limits: hourly(100), now: NOW + HOUR - 1 });
      await issue(ledger, { limits: hourly(100), now: NOW + HOUR });
    });

    ledgerTest(open, 'count uploads of any size', async (ledger) => {
      const limits = { uploadsPer: { period: HOUR, uploads: 2 } };
      await store(ledger, { limits });
      await store(ledger, { limits, now: NOW + 10 * SECOND, upload: { size: 1 } });
      const answer = await refused(ledger, { limits, now: NOW + 20 * SECOND });
      assert.deepEqual(answer, {
        granted: false,
        limit: 'uploadsPer',
        used: 2,
        allowed: 2,
        retryAt: NOW + 10 * SECOND + HOUR,
      });
    });

    ledgerTest(open, 'keep the charge of a deleted upload', async (ledger) => {
      const id = await store(ledger, { limits: { ...hourly(100), ...kept } });
      await ledger.remove({ ids: [id], reason: 'deleted', detail: '', now: NOW });
      const { limit } = await refused(ledger, { limits: { ...hourly(100), ...kept }, now: NOW + 1 });
      assert.equal(limit, 'bytesPer');
    });

    ledgerTest(open, 'enforce two limits with different periods', async (ledger) => {
      const limits = { ...hourly(1000), uploadsPer: { period: 10 * SECOND, uploads: 1 } };
      await store(ledger, { limits });
      const answer = await refused(ledger, { limits, now: NOW + SECOND });
      assert.deepEqual([answer.limit, answer.retryAt], ['uploadsPer', NOW + 10 * SECOND]);
      await store(ledger, { limits, now: NOW + 10 * SECOND, upload: { size: 900 } });
      const later = await refused(ledger, { limits, now: NOW + 20 * SECOND, upload: { size: 101 } });
      assert.deepEqual([later.limit, later.retryAt], ['bytesPer', NOW + 10 * SECOND + HOUR]);
    });

    ledgerTest(open, 'follow the received size', async (ledger) => {
      const id = await issue(ledger, { upload: { size: 100 }, limits: hourly(100) });
      await storeSlot(ledger, id, { size: 40 });
      await issue(ledger, { upload: { size: 60 }, limits: hourly(100) });
      assert.equal((await refused(ledger, { upload: { size: 1 }, limits: hourly(100) })).used, 100);
    });

    ledgerTest(open, 'are swept after their period', async (ledger) => {
      await store(ledger, { limits: hourly(100) });
      const step = { kind: 'upload_rates', limit: 10 } as const;
      assert.equal((await ledger.sweep({ ...step, now: NOW + HOUR - 1 })).count, 0);
      assert.equal((await ledger.sweep({ ...step, now: NOW + 2 * HOUR, dryRun: true })).count, 1);
      assert.equal((await ledger.sweep({ ...step, now: NOW + 2 * HOUR })).count, 1);
      assert.equal((await ledger.sweep({ ...step, now: NOW + 2 * HOUR })).count, 0);
    });
  });
}

function reserveReturns(open: OpenTestLedger): void {
  describe('space that becomes free', () => {
    ledgerTest(open, 'refunds an unused slot at its deadline without a sweep', async (ledger) => {
      const limits = { ownerBytes: 100, purposeBytes: 100, globalBytes: 100, ...hourly(100) };
      const uploadsPer = { period: HOUR, uploads: 1 };
      const id = await issue(ledger, { limits: { ...limits, uploadsPer } });
      const { retryAt } = await refused(ledger, { limits: { ...limits, uploadsPer }, now: NOW + 1 });
      assert.equal(retryAt, NOW + SLOT_TIME);
      await refused(ledger, { limits: { ...limits, uploadsPer }, now: NOW + SLOT_TIME - 1 });
      await issue(ledger, { limits: { ...limits, uploadsPer }, now: NOW + SLOT_TIME });
      assert.equal((await ledger.findRemoval(id))?.reason, 'unused');
      await checkCounters(ledger);
    });

    ledgerTest(open, 'frees uploads at their maximum age without a sweep', async (ledger) => {
      const aged = await store(ledger, { upload: { size: 600, purpose: 'ephemeral' }, limits: kept });
      await store(ledger, { upload: { size: 400, purpose: 'profile' }, limits: kept });
      const { retryAt } = await refused(ledger, { limits: kept, now: NOW + DAY });
      assert.equal(retryAt, NOW + 7 * DAY);
      await issue(ledger, { limits: kept, now: NOW + 7 * DAY });
      assert.deepEqual(
        { ...(await ledger.findRemoval(aged)) },
        {
          locator: aged,
          id: aged,
          owner: JULIET,
          endpoint: 'component',
          name: 'balcony.jpg',
          size: 600,
          stored: true,
          createdAt: NOW,
          removedAt: NOW + 7 * DAY,
          reason: 'expired',
          detail: 'older than 7 d (purpose ephemeral)',
        },
      );
      assert.equal((await pendingKeys(ledger)).length, 1);
    });

    ledgerTest(
      open,
      'frees uploads at expiresAt or their maximum age, whichever is earlier',
      async (ledger) => {
        await store(ledger, { upload: { size: 500, expiresAt: NOW + HOUR }, limits: kept });
        await store(ledger, { upload: { size: 500, expiresAt: NOW + 99 * DAY }, limits: kept });
        const first = await refused(ledger, { upload: { size: 500 }, limits: kept });
        assert.equal(first.retryAt, NOW + HOUR);
        const both = await refused(ledger, { upload: { size: 501 }, limits: kept });
        assert.equal(both.retryAt, NOW + 30 * DAY);
      },
    );

    ledgerTest(open, 'uses the time of storage, not of the reservation', async (ledger) => {
      const early = await issue(ledger, { upload: { size: 500 }, limits: kept });
      const quick = await store(ledger, { upload: { size: 500 }, limits: kept, now: NOW + SECOND });
      await storeSlot(ledger, early, { size: 500, now: NOW + 300 * SECOND });
      const { retryAt } = await refused(ledger, { limits: kept, now: NOW + 400 * SECOND });
      assert.equal(retryAt, NOW + SECOND + 30 * DAY);
      await issue(ledger, { limits: kept, now: NOW + SECOND + 30 * DAY });
      assert.deepEqual(await ledger.findExistingIds([early, quick]), [early]);
    });

    ledgerTest(open, 'forecasts the quota of a purpose from slots of this purpose only', async (ledger) => {
      const deadline = NOW + 2 * SLOT_TIME;
      await issue(ledger, { upload: { purpose: 'profile', deadline } });
      await issue(ledger, { upload: { purpose: 'ephemeral' } });
      const { retryAt } = await refused(ledger, {
        upload: { purpose: 'profile' },
        limits: { purposeBytes: 150 },
      });
      assert.equal(retryAt, deadline);
    });

    ledgerTest(open, 'returns no retryAt for uploads without a maximum age', async (ledger) => {
      await store(ledger, { upload: { size: 950, purpose: 'profile' }, limits: kept });
      await store(ledger, { upload: { size: 50 }, limits: kept });
      assert.equal((await refused(ledger, { upload: { size: 50 }, limits: kept })).retryAt, NOW + 30 * DAY);
      assert.equal((await refused(ledger, { upload: { size: 51 }, limits: kept })).retryAt, null);
    });
  });
}

function reserveEvicts(open: OpenTestLedger): void {
  describe('evict', () => {
    const evicting = { limits: kept, evict: true };

    ledgerTest(open, 'removes only as many of the oldest uploads as needed', async (ledger) => {
      const ids = [];
      for (let i = 0; i < 4; i += 1) {
        ids.push(await store(ledger, { upload: { size: 250 }, limits: kept, now: NOW + i }));
      }
      await issue(ledger, { ...evicting, upload: { size: 300 }, now: NOW + 10 });
      assert.deepEqual((await ledger.findExistingIds(ids)).sort(), ids.slice(2).sort());
      const removal = await ledger.findRemoval(String(ids[0]));
      assert.deepEqual([removal?.reason, removal?.stored], ['evicted', true]);
      await checkCounters(ledger);
    });

    ledgerTest(open, 'removes as many of the oldest uploads as there are too many files', async (ledger) => {
      const ids = [];
      for (let i = 0; i < 4; i += 1) ids.push(await store(ledger, { now: NOW + i * SECOND }));
      const keptPurpose = await store(ledger, { upload: { purpose: 'profile' } });
      const evict = { evict: true, now: NOW + DAY };
      await issue(ledger, { ...evict, limits: { ownerFiles: 5 } });
      assert.deepEqual(await ledger.findExistingIds(ids), ids.slice(1));
      // The slot and the profile picture stay, so that at most one file more fits.
      const answer = await refused(ledger, { ...evict, limits: { ownerFiles: 2 } });
      assert.deepEqual([answer.limit, answer.used, answer.retryAt], ['ownerFiles', 5, evict.now + SLOT_TIME]);
      assert.deepEqual(await ledger.findExistingIds(ids), ids.slice(1), 'nothing is removed in vain');
      await issue(ledger, { ...evict, limits: { ownerFiles: 3 } });
      assert.deepEqual(await ledger.findExistingIds([...ids, keptPurpose]), [keptPurpose]);
      await checkCounters(ledger);
    });

    ledgerTest(open, 'removes enough for both the bytes and the number of files', async (ledger) => {
      const ids = [];
      for (const size of [900, 50, 50])
        ids.push(await store(ledger, { upload: { size }, now: NOW + ids.length * SECOND }));
      const limits = { ownerBytes: 1000, ownerFiles: 2 };
      await issue(ledger, { evict: true, limits, now: NOW + DAY });
      assert.deepEqual(await ledger.findExistingIds(ids), ids.slice(2));
    });

    ledgerTest(open, 'removes the oldest uploads of all purposes together', async (ledger) => {
      const ids = [];
      for (const [i, purpose] of ['ephemeral', '', 'ephemeral', ''].entries()) {
        const options = { upload: { size: 250, purpose }, limits: kept, now: NOW + i * SECOND };
        ids.push(await store(ledger, options));
      }
      await issue(ledger, { ...evicting, upload: { size: 300 }, now: NOW + 10 * SECOND });
      assert.deepEqual((await ledger.findExistingIds(ids)).sort(), ids.slice(2).sort());
    });

    ledgerTest(open, 'removes nothing for a file that cannot fit', async (ledger) => {
      const id = await store(ledger, { upload: { size: 900 }, limits: kept });
      const answer = await refused(ledger, { ...evicting, upload: { size: 1001 } });
      assert.equal(answer.retryAt, null);
      assert.deepEqual(await ledger.findExistingIds([id]), [id]);
    });

    ledgerTest(open, 'keeps pending slots and purposes without a maximum age', async (ledger) => {
      await store(ledger, { upload: { size: 500, purpose: 'profile' }, limits: kept });
      await issue(ledger, { upload: { size: 300 }, limits: kept });
      const own = await store(ledger, { upload: { size: 200 }, limits: kept });
      const answer = await refused(ledger, { ...evicting, upload: { size: 201 } });
      assert.equal(answer.retryAt, NOW + SLOT_TIME, 'the deadline of the pending slot');
      assert.deepEqual(await ledger.findExistingIds([own]), [own], 'nothing is removed if it is not enough');
      await issue(ledger, { ...evicting, upload: { size: 200 } });
      assert.deepEqual(await ledger.findExistingIds([own]), []);
    });

    ledgerTest(open, 'returns the expiry of uploads that are not evictable as retryAt', async (ledger) => {
      const held = { ...lifetimes, held: { maxAge: 9 * DAY, evictable: false } };
      const options = { ...evicting, lifetimes: held };
      await store(ledger, { ...options, upload: { size: 400, purpose: 'held' } });
      await store(ledger, { ...options, upload: { size: 400, purpose: 'ephemeral' } });
      const { retryAt } = await refused(ledger, { ...options, upload: { size: 700 } });
      assert.equal(
        retryAt,
        NOW + 9 * DAY,
        'the ephemeral upload, at 7 days, is already counted as evictable',
      );
    });

    ledgerTest(open, 'keeps files of a forgotten purpose if files are kept without limit', async (ledger) => {
      const options = { ...evicting, lifetimes: { '': { maxAge: null, evictable: false } } };
      const id = await store(ledger, { ...options, upload: { size: 900, purpose: 'no longer configured' } });
      const { retryAt } = await refused(ledger, { ...options, upload: { size: 200 } });
      assert.deepEqual([retryAt, await ledger.findExistingIds([id])], [null, [id]]);
    });

    ledgerTest(open, 'removes nothing if another limit refuses anyway', async (ledger) => {
      const limits = { ...kept, ...hourly(1000) };
      const id = await store(ledger, { upload: { size: 1000 }, limits });
      const answer = await refused(ledger, { limits, evict: true, now: NOW + 1 });
      assert.equal(answer.limit, 'bytesPer');
      assert.deepEqual(await ledger.findExistingIds([id]), [id]);
    });

    ledgerTest(open, 'makes room for a purpose from that purpose only', async (ledger) => {
      const limits = { ...kept, purposeBytes: 300 };
      const other = await store(ledger, { upload: { size: 300 }, limits });
      const old = await store(ledger, { upload: { size: 300, purpose: 'ephemeral' }, limits, now: NOW + 1 });
      await issue(ledger, {
        limits,
        evict: true,
        upload: { size: 300, purpose: 'ephemeral' },
        now: NOW + 2,
      });
      assert.deepEqual(await ledger.findExistingIds([other, old]), [other]);
    });

    ledgerTest(open, 'counts removed bytes for the quota of all owners too', async (ledger) => {
      const limits = { ...kept, globalBytes: 1000 };
      await store(ledger, { upload: { size: 1000 }, limits });
      await issue(ledger, { limits, evict: true, upload: { size: 900 } });
      assert.equal((await ledger.stats()).uploads, 0);
    });
  });
}

function reserveLocators(open: OpenTestLedger): void {
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

    ledgerTest(open, 'find their upload, and its id does not', async (ledger) => {
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

    ledgerTest(open, 'and ids are unique', async (ledger) => {
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
