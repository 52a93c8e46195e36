import assert from 'node:assert/strict';
import { describe } from 'node:test';
import {
  KEEP_REFUSALS_MS,
  type Ledger,
  MAX_REFUSALS,
  MAX_REFUSALS_PER_OWNER,
  type RefusalRecord,
} from '../../../src/ledger/contract/ledger.ts';
import { HOUR, JULIET, ledgerTest, NOW, type OpenTestLedger, ROMEO, reservation, SECOND } from './fixture.ts';

function refusal(change: Partial<RefusalRecord> = {}): RefusalRecord {
  const at = change.lastAt ?? NOW;
  return {
    owner: ROMEO,
    endpoint: 'component',
    code: 'file_too_large',
    uploadId: '',
    isDenied: false,
    times: 1,
    firstAt: at,
    lastAt: at,
    text: 'The file is too large.',
    name: 'a.jpg',
    size: 100,
    ...change,
  };
}

const list = (ledger: Ledger, owner = ROMEO) => ledger.listRefusals({ owner, since: 0 });

export function refusalSuite(open: OpenTestLedger): void {
  describe('refusals', () => {
    ledgerTest(open, 'are listed with the latest first, and only those of the owner', async (ledger) => {
      const first = refusal();
      const second = refusal({ code: 'quota_exceeded', lastAt: NOW + SECOND, size: null, name: '' });
      await ledger.recordRefusals([first, second, refusal({ owner: JULIET, uploadId: 'x' })]);
      assert.deepEqual(await list(ledger), [second, first]);
      assert.deepEqual(await ledger.listRefusals({ owner: ROMEO, since: NOW }), [second]);
    });

    ledgerTest(open, 'of all owners are listed with the latest first', async (ledger) => {
      const first = refusal();
      const second = refusal({ owner: JULIET, isDenied: true, lastAt: NOW + SECOND });
      const third = refusal({ code: 'quota_exceeded', lastAt: NOW + 2 * SECOND });
      await ledger.recordRefusals([first, second, third]);
      assert.deepEqual(await ledger.listAllRefusals({ since: 0, limit: 9 }), [third, second, first]);
      assert.deepEqual(await ledger.listAllRefusals({ since: NOW, limit: 9 }), [third, second]);
      assert.deepEqual(await ledger.listAllRefusals({ since: 0, limit: 1 }), [third]);
    });

    ledgerTest(open, 'are one row with a count if they are equal', async (ledger) => {
      await ledger.recordRefusals([refusal({ times: 3 })]);
      await ledger.recordRefusals([refusal({ times: 2, lastAt: NOW + HOUR, text: 'new', name: 'b.jpg' })]);
      const [row, ...more] = await list(ledger);
      assert.deepEqual(more, []);
      assert.deepEqual(row, {
        ...refusal({ times: 5, lastAt: NOW + HOUR, text: 'new', name: 'b.jpg' }),
        firstAt: NOW,
      });
      const later = NOW + KEEP_REFUSALS_MS;
      await ledger.recordRefusals([refusal({ times: 1, lastAt: later + HOUR })]);
      const [restarted] = await list(ledger);
      assert.equal(restarted?.times, 1, 'a count never covers more than a day');
    });

    ledgerTest(open, 'of one owner are bounded in number', async (ledger) => {
      for (let round = 0; round < 3; round += 1) {
        const rows = Array.from({ length: 50 }, (_, i) =>
          refusal({ uploadId: `${round} ${i}`, lastAt: NOW + round }),
        );
        await ledger.recordRefusals(rows);
      }
      const rows = await list(ledger);
      assert.equal(rows.length, MAX_REFUSALS_PER_OWNER);
      assert.ok(rows.every(({ uploadId }) => uploadId.startsWith('2 ')));
    });

    ledgerTest(open, 'of strangers never displace those of users', async (ledger) => {
      await ledger.recordRefusals([refusal()]);
      const name = (i: number) => `stranger${i}@elsewhere.example`;
      for (let from = 0; from < MAX_REFUSALS.denied + 500; from += 500) {
        const rows = Array.from({ length: 500 }, (_, i) =>
          refusal({ owner: name(from + i), isDenied: true, code: 'denied', lastAt: NOW + 1 + from + i }),
        );
        await ledger.recordRefusals(rows);
      }
      assert.equal((await list(ledger)).length, 1);
      assert.equal((await list(ledger, name(0))).length, 0, 'the oldest stranger is gone');
      assert.equal((await list(ledger, name(MAX_REFUSALS.denied + 499))).length, 1);
      const left = await ledger.sweep({
        kind: 'refusals',
        limit: 99_999,
        now: NOW + 9 * KEEP_REFUSALS_MS,
        dryRun: true,
      });
      assert.equal(left.count, MAX_REFUSALS.denied + 1);
    });

    ledgerTest(open, 'are swept after a day, and deleted with their owner', async (ledger) => {
      await ledger.recordRefusals([refusal(), refusal({ owner: JULIET, lastAt: NOW + HOUR })]);
      const step = { kind: 'refusals', limit: 9, now: NOW + KEEP_REFUSALS_MS } as const;
      assert.equal((await ledger.sweep({ ...step, dryRun: true })).count, 1);
      assert.equal((await ledger.sweep(step)).count, 1);
      assert.equal((await list(ledger)).length, 0);
      await ledger.forget({ owner: JULIET, limit: 9, now: NOW });
      assert.equal((await list(ledger, JULIET)).length, 0);
    });

    ledgerTest(open, 'of a PUT show that the slot was used, also after it expired', async (ledger) => {
      const tried = reservation();
      const untried = reservation();
      for (const slot of [tried, untried]) await ledger.reserve(slot);
      await ledger.recordRefusals([
        refusal({ owner: JULIET, code: 'length_required', uploadId: tried.upload.id }),
      ]);
      assert.equal((await ledger.find(tried.upload.id))?.lastPutAt, NOW);
      assert.equal((await ledger.find(untried.upload.id))?.lastPutAt, undefined);
      await ledger.sweep({ kind: 'unused', limit: 9, now: tried.upload.deadline });
      assert.match((await ledger.findRemoval(tried.upload.id))?.detail ?? '', /^a PUT came/);
      assert.match((await ledger.findRemoval(untried.upload.id))?.detail ?? '', /^no PUT ever came/);
    });

    ledgerTest(open, 'of several processes at once are all counted', async (ledger, opened) => {
      const other = await opened.openAgain();
      const rows = Array.from({ length: 10 }, (_, i) => refusal({ uploadId: String(i) }));
      await Promise.all(
        [ledger, other, ledger, other].map((one, i) => one.recordRefusals(i % 2 ? rows : rows.toReversed())),
      );
      assert.deepEqual(
        (await list(ledger)).map(({ times }) => times),
        rows.map(() => 4),
      );
      await other.close();
    });
  });
}
