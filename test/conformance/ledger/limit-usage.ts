import assert from 'node:assert/strict';
import { describe } from 'node:test';
import {
  type Ledger,
  type Limits,
  type LimitUsageQuery,
  unlimited,
} from '../../../src/ledger/contract/ledger.ts';
import {
  DAY,
  HOUR,
  JULIET,
  ledgerTest,
  lifetimes,
  NOW,
  type OpenTestLedger,
  reservation,
  SLOT_TIME,
  store,
} from './fixture.ts';

const measure = (ledger: Ledger, limits: Partial<Limits>, change: Partial<LimitUsageQuery> = {}) =>
  ledger.limitUsage({
    owner: JULIET,
    purpose: '',
    limits: { ...unlimited, ...limits },
    lifetimes,
    evict: false,
    now: NOW,
    ...change,
  });

export function limitUsageSuite(open: OpenTestLedger): void {
  describe('the use of limits', () => {
    ledgerTest(
      open,
      'is 0 for an owner without uploads, and only limits that are set are listed',
      async (ledger) => {
        assert.deepEqual(await measure(ledger, {}), []);
        assert.deepEqual(await measure(ledger, { ownerBytes: 500 }), [
          { limit: 'ownerBytes', used: 0, allowed: 500, evictable: 0, freesAt: null },
        ]);
      },
    );

    ledgerTest(open, 'includes the time from which a reservation fits', async (ledger) => {
      const uploadsPer = { period: HOUR, uploads: 2 };
      const limits = { uploadsPer };
      await store(ledger, { limits });
      await store(ledger, { limits, now: NOW + HOUR / 2 });
      const now = NOW + HOUR / 2 + 1;
      const [window] = await measure(ledger, limits, { now });
      assert.deepEqual(window, {
        limit: 'uploadsPer',
        used: 2,
        allowed: 2,
        evictable: 0,
        freesAt: NOW + HOUR,
      });
      assert.equal((await ledger.reserve(reservation({ limits, now: NOW + HOUR - 1 }))).granted, false);
      assert.equal((await ledger.reserve(reservation({ limits, now: NOW + HOUR }))).granted, true);
    });

    ledgerTest(
      open,
      'counts bytes of slots, and includes the time when the first of them expire',
      async (ledger) => {
        await store(ledger, { upload: { size: 300 } });
        await ledger.reserve(reservation({ upload: { size: 200 } }));
        const limits = { ownerBytes: 1000, globalBytes: 5000, bytesPer: { period: HOUR, bytes: 400 } };
        const usage = await measure(ledger, limits);
        assert.deepEqual(
          usage.map(({ limit, used, allowed, freesAt }) => [limit, used, allowed, freesAt]),
          [
            ['ownerBytes', 500, 1000, NOW + SLOT_TIME],
            ['bytesPer', 0, 400, null],
            ['globalBytes', 500, 5000, NOW + SLOT_TIME],
          ],
        );
        const [lowered] = await measure(ledger, { ownerBytes: 250 });
        assert.equal(lowered?.freesAt, NOW + 30 * DAY, 'the slot alone is not enough');
      },
    );

    ledgerTest(
      open,
      'counts files and slots, and includes the time when their number falls',
      async (ledger) => {
        await store(ledger, { upload: { size: 300 } });
        await ledger.reserve(reservation());
        const answer = { limit: 'ownerFiles', used: 2, allowed: 2, evictable: 0, freesAt: NOW + SLOT_TIME };
        assert.deepEqual(await measure(ledger, { ownerFiles: 2 }), [answer]);
        const evicting = await measure(ledger, { ownerFiles: 2 }, { evict: true });
        assert.deepEqual(evicting, [{ ...answer, evictable: 1 }]);
        const [lowered] = await measure(ledger, { ownerFiles: 1 });
        assert.equal(lowered?.freesAt, NOW + 30 * DAY, 'the slot alone is not enough');
      },
    );

    ledgerTest(open, 'includes the bytes that can be evicted', async (ledger) => {
      await store(ledger, { upload: { size: 300 } });
      await store(ledger, { upload: { size: 70, purpose: 'profile' } });
      const [total] = await measure(ledger, { ownerBytes: 370 }, { evict: true });
      assert.deepEqual([total?.used, total?.evictable], [370, 300]);
      const [profile] = await measure(ledger, { purposeBytes: 70 }, { purpose: 'profile' });
      assert.deepEqual(profile, {
        limit: 'purposeBytes',
        used: 70,
        allowed: 70,
        evictable: 0,
        freesAt: null,
      });
    });
  });
}
