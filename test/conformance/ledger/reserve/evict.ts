import assert from 'node:assert/strict';
import { describe } from 'node:test';
import { pendingKeys } from '../../../support/pending-keys.ts';
import {
  checkCounters,
  DAY,
  HOUR,
  hourly,
  issue,
  JULIET,
  kept,
  ledgerTest,
  lifetimes,
  NOW,
  type OpenTestLedger,
  refused,
  SECOND,
  SLOT_TIME,
  store,
  storeSlot,
} from '../fixture.ts';

export function reserveReturns(open: OpenTestLedger): void {
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

export function reserveEvicts(open: OpenTestLedger): void {
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

    ledgerTest(open, 'removes the oldest uploads if there are too many files', async (ledger) => {
      const ids = [];
      for (let i = 0; i < 4; i += 1) ids.push(await store(ledger, { now: NOW + i * SECOND }));
      const keptPurpose = await store(ledger, { upload: { purpose: 'profile' } });
      const evict = { evict: true, now: NOW + DAY };
      await issue(ledger, { ...evict, limits: { ownerFiles: 5 } });
      assert.deepEqual(await ledger.findExistingIds(ids), ids.slice(1));
      // The slot and the profile picture cannot be evicted, so a third file does not fit into a limit of two.
      const answer = await refused(ledger, { ...evict, limits: { ownerFiles: 2 } });
      assert.deepEqual([answer.limit, answer.used, answer.retryAt], ['ownerFiles', 5, evict.now + SLOT_TIME]);
      assert.deepEqual(
        await ledger.findExistingIds(ids),
        ids.slice(1),
        'nothing is removed if it is not enough',
      );
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

    ledgerTest(open, 'keeps files of a removed purpose if files are kept without limit', async (ledger) => {
      const options = { ...evicting, lifetimes: { '': { maxAge: null, evictable: false } } };
      const id = await store(ledger, { ...options, upload: { size: 900, purpose: 'no longer configured' } });
      const { retryAt } = await refused(ledger, { ...options, upload: { size: 200 } });
      assert.deepEqual([retryAt, await ledger.findExistingIds([id])], [null, [id]]);
    });

    ledgerTest(open, 'removes nothing if another limit refuses the request', async (ledger) => {
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
