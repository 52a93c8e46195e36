import assert from 'node:assert/strict';
import { describe } from 'node:test';
import type { ImportedUpload, RemovedForRoom } from '../../../../src/ledger/contract/ledger.ts';
import {
  checkCounters,
  DAY,
  HOUR,
  hourly,
  issue,
  JULIET,
  kept,
  ledgerTest,
  NOW,
  type OpenTestLedger,
  ROMEO,
  refused,
  reservation,
  SECOND,
  SLOT_TIME,
  store,
  storeSlot,
} from '../fixture.ts';
import { importedUpload } from '../import.ts';
import { reserveEvicts, reserveReturns } from './evict.ts';
import { reserveLocators } from './locators.ts';

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

    ledgerTest(
      open,
      'returns when a file expires and makes room, also under a lowered limit',
      async (ledger) => {
        await store(ledger, { upload: { purpose: 'profile' } });
        await store(ledger, { upload: { expiresAt: NOW + HOUR } });
        await store(ledger);
        const retryAt = async (ownerFiles: number) =>
          (await refused(ledger, { limits: { ownerFiles } })).retryAt;
        assert.equal(await retryAt(3), NOW + HOUR);
        assert.equal(await retryAt(2), NOW + 30 * DAY);
        assert.equal(await retryAt(1), null, 'the profile picture has no maximum age');
      },
    );

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
