import assert from 'node:assert/strict';
import { describe } from 'node:test';
import type { CopiedRow, Ledger } from '../../../src/ledger/contract/ledger.ts';
import {
  checkCounters,
  FORGOT_NOTHING,
  issue,
  JULIET,
  ledgerTest,
  NOW,
  type OpenTestLedger,
  ROMEO,
  store,
} from './fixture.ts';

/** Tests of checks and repairs of counters, also during traffic of another process. */
export function repairSuite(open: OpenTestLedger): void {
  describe('accounting', () => {
    ledgerTest(
      open,
      'a recount during traffic of the same owner finds and changes nothing',
      async (ledger, { openAgain }) => {
        const other = await openAgain();
        try {
          await store(ledger);
          let isRunning = true;
          const traffic = Array.from({ length: 3 }, async () => {
            while (isRunning) {
              const id = await store(other, { upload: { purpose: 'profile' } });
              await issue(other);
              await other.remove({ ids: [id], reason: 'deleted', detail: '', now: NOW });
            }
          });
          const wrong = async () => {
            let count = 0;
            for (let i = 0; i < 100; i += 1) {
              if (await ledger.recount({ owner: JULIET, repair: i % 2 === 0 })) count += 1;
            }
            return count;
          };
          const counts = await Promise.all([wrong(), wrong()]).finally(() => {
            isRunning = false;
          });
          await Promise.all(traffic);
          assert.deepEqual(counts, [0, 0]);
          await checkCounters(ledger);
        } finally {
          await other.close();
        }
      },
    );

    for (const [title, wrong] of [
      ['too high', { uploads: 7, bytes: 700, pending_uploads: 3, pending_bytes: 300 }],
      ['too low', { uploads: 0, bytes: 0, pending_uploads: 0, pending_bytes: 0 }],
      ['below zero', { uploads: -2, bytes: -200, pending_uploads: -1, pending_bytes: -100 }],
    ] as const) {
      ledgerTest(open, `forget removes all data of an owner whose counters are ${title}`, async (ledger) => {
        for (let i = 0; i < 3; i += 1) await store(ledger);
        await issue(ledger);
        const kept = await store(ledger, { upload: { owner: ROMEO } });
        await setCounters(ledger, JULIET, wrong);
        const steps: number[] = [];
        do steps.push((await ledger.forget({ owner: JULIET, limit: 2, now: NOW })).removed);
        while ((await ledger.listOwners({ limit: 9 })).length > 1 && steps.length < 9);
        assert.deepEqual(steps, [2, 2]);
        assert.deepEqual(await ledger.forget({ owner: JULIET, limit: 2, now: NOW }), FORGOT_NOTHING);
        assert.deepEqual(
          (await ledger.listUploads({ limit: 9 })).map(({ id }) => id),
          [kept],
        );
        await checkCounters(ledger);
      });
    }
  });
}

/** Writes wrong counters of an owner and of the totals, as a fault of an earlier version left them. */
async function setCounters(ledger: Ledger, owner: string, wrong: CopiedRow): Promise<void> {
  const everything = { after: null, upTo: null };
  await ledger.setMigrationState('importing');
  const owners = await ledger.readRowRange({ table: 'owners', ...everything });
  const row = owners.find(({ name }) => name === owner);
  assert.ok(row);
  await ledger.upsertRows({ table: 'owners', rows: [{ ...row, ...wrong }] });
  const shard = Number(row.id) % 16;
  const totals = await ledger.readRowRange({ table: 'totals', ...everything });
  const total = totals.find((one) => one.shard === shard);
  assert.ok(total);
  const shifted = Object.entries(wrong).map(([column, value]) => [
    column,
    Number(total[column]) + Number(value) - Number(row[column]),
  ]);
  await ledger.upsertRows({ table: 'totals', rows: [{ ...total, ...Object.fromEntries(shifted) }] });
  await ledger.setMigrationState('open');
}
