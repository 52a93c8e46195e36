import assert from 'node:assert/strict';
import { describe } from 'node:test';
import { type HookCall, MAX_SWEEP_RUNS, type SweepRun } from '../../../src/ledger/contract/ledger.ts';
import { DAY, HOUR, ledgerTest, NOW, type OpenTestLedger } from './fixture.ts';

const hookCall = (change: Partial<HookCall> = {}): HookCall => ({
  hook: 'ci',
  at: NOW,
  status: 201,
  address: '192.0.2.1',
  program: 'curl',
  refusal: '',
  ...change,
});

const sweepRun = (change: Partial<SweepRun> = {}): SweepRun => ({
  id: 'a',
  startedAt: NOW,
  durationMs: 12,
  unused: 1,
  expired: 2,
  softQuota: 3,
  bytes: 4,
  deadClaims: 5,
  records: 6,
  ...change,
});

export function activitySuite(open: OpenTestLedger): void {
  describe('the activity', () => {
    ledgerTest(open, 'of a day is the sum of all processes', async (ledger, { openAgain }) => {
      const other = await openAgain();
      const day = NOW - (NOW % DAY);
      const counts = { day, uploads: 1, downloads: 20, refusals: 3 };
      await Promise.all([ledger.addDailyCounts(counts), other.addDailyCounts(counts)]);
      await other.addDailyCounts({ ...counts, day: day - DAY });
      await other.close();
      assert.deepEqual(await ledger.listDailyCounts({ since: day - DAY }), [
        { ...counts, day: day - DAY },
        { day, uploads: 2, downloads: 40, refusals: 6 },
      ]);
      assert.equal((await ledger.listDailyCounts({ since: day })).length, 1);
      await ledger.sweep({ kind: 'daily_counts', limit: 10, now: day + 400 * DAY });
      assert.deepEqual(await ledger.listDailyCounts({ since: 0 }), []);
    });

    ledgerTest(open, 'has the latest sweeps and what they removed', async (ledger) => {
      await ledger.recordSweep(sweepRun());
      await ledger.recordSweep(sweepRun({ id: 'b', startedAt: NOW + HOUR }));
      assert.deepEqual(await ledger.listSweeps(), [sweepRun({ id: 'b', startedAt: NOW + HOUR }), sweepRun()]);
      for (let i = 0; i < MAX_SWEEP_RUNS; i += 1) await ledger.recordSweep(sweepRun({ id: `c${i + 100}` }));
      const sweeps = await ledger.listSweeps();
      assert.equal(sweeps.length, MAX_SWEEP_RUNS);
      assert.ok(sweeps.every(({ id }) => id.startsWith('c')));
    });

    ledgerTest(open, 'has the last call of each hook, also if it is recorded late', async (ledger) => {
      await ledger.recordHookCalls([hookCall({ hook: 'b' }), hookCall({ hook: 'a' })]);
      const later = hookCall({ hook: 'a', at: NOW + HOUR, status: 400, refusal: 'No text.' });
      await ledger.recordHookCalls([later]);
      await ledger.recordHookCalls([hookCall({ hook: 'a', at: NOW + 1 })]);
      assert.deepEqual(await ledger.listHookCalls(), [later, hookCall({ hook: 'b' })]);
      await ledger.recordHookCalls([]);
      await ledger.sweep({ kind: 'hook_calls', limit: 10, now: NOW + 400 * DAY });
      assert.deepEqual(await ledger.listHookCalls(), [later]);
    });
  });
}
