import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import type { Ledger, MessageRateParams } from '../../../src/ledger/contract/ledger.ts';
import { HOUR, ledgerTest, NOW, type OpenTestLedger, ROMEO, SECOND } from './fixture.ts';

const charge = (ledger: Ledger, options: Partial<MessageRateParams> = {}) =>
  ledger.chargeMessageRate({ key: 'k', period: HOUR, limit: 3, count: 1, now: NOW, ...options });
const OK = { outcome: 'ok' };

export function messageRateSuite(open: OpenTestLedger): void {
  describe('message rates', () => {
    ledgerTest(open, 'are exact when several processes charge at once', async (ledger, opened) => {
      const other = await opened.openAgain();
      const asked = Array.from({ length: 12 }, (_, i) =>
        charge(i % 2 ? ledger : other, { limit: 5, now: NOW + i * 60 * SECOND }),
      );
      const answers = await Promise.all(asked);
      assert.equal(answers.filter(({ outcome }) => outcome === 'ok').length, 5);
      await other.close();
    });

    ledgerTest(open, 'return a retryAt at which the messages fit', async (ledger) => {
      for (const now of [NOW, NOW + 10 * SECOND, NOW + HOUR / 2]) await charge(ledger, { now });
      const late = await charge(ledger, { now: NOW + HOUR - 1 });
      assert.deepEqual(late, { outcome: 'over', retryAt: NOW + HOUR + 10 * SECOND }, 'two share a bucket');
      assert.deepEqual(await charge(ledger, { count: 3, now: NOW + HOUR }), {
        outcome: 'over',
        retryAt: NOW + HOUR + HOUR / 2,
      });
      assert.deepEqual(await charge(ledger, { now: NOW + HOUR + 10 * SECOND }), OK);
    });

    ledgerTest(open, 'charge several messages together or none', async (ledger) => {
      assert.deepEqual(await charge(ledger, { count: 2 }), OK);
      assert.deepEqual(await charge(ledger, { count: 2 }), { outcome: 'over', retryAt: NOW + HOUR });
      assert.deepEqual(await charge(ledger, { count: 4 }), { outcome: 'over', retryAt: null });
      assert.deepEqual(await charge(ledger), OK);
    });

    ledgerTest(open, 'count each key and period separately', async (ledger) => {
      const full = { limit: 1 };
      assert.deepEqual(await charge(ledger, full), OK);
      assert.equal((await charge(ledger, full)).outcome, 'over');
      assert.deepEqual(await charge(ledger, { ...full, key: 'l' }), OK);
      assert.deepEqual(await charge(ledger, { ...full, period: 2 * HOUR }), OK);
    });

    ledgerTest(open, 'are swept after their period, and deleted with their owner', async (ledger) => {
      await charge(ledger);
      await charge(ledger, { key: 'l', now: NOW + HOUR });
      await charge(ledger, { key: ROMEO, limit: 1, now: NOW + HOUR });
      const step = { kind: 'message_rates', limit: 9, now: NOW + HOUR + 60 * SECOND } as const;
      assert.equal((await ledger.sweep({ ...step, dryRun: true })).count, 1);
      assert.equal((await ledger.sweep(step)).count, 1);
      await ledger.forget({ owner: ROMEO, limit: 9, now: NOW });
      assert.deepEqual(await charge(ledger, { key: ROMEO, limit: 1, now: NOW + HOUR }), OK);
    });

    test('hold in every period, and retryAt is exact to the millisecond', async () => {
      const opened = await open();
      let runs = 0;
      const charges = fc.array(fc.record({ wait: fc.nat(400), count: fc.integer({ min: 1, max: 3 }) }), {
        minLength: 5,
        maxLength: 30,
      });
      const property = fc.asyncProperty(fc.integer({ min: 1, max: 5 }), charges, async (limit, some) => {
        runs += 1;
        await checkCharges(opened.ledger, `run ${runs}`, limit, some);
      });
      try {
        await fc.assert(property, { numRuns: 60 });
      } finally {
        await opened.close();
      }
    });
  });
}

/** Charges messages one after the other, and checks that no period has more than `limit`, and that `retryAt` is exact. */
async function checkCharges(
  ledger: Ledger,
  key: string,
  limit: number,
  charges: readonly { wait: number; count: number }[],
): Promise<void> {
  const period = 1000;
  const sent: number[] = [];
  let now = NOW;
  for (const { wait, count } of charges) {
    now += wait;
    const order = { key, period, limit, count, now };
    const answer = await ledger.chargeMessageRate(order);
    if (answer.outcome === 'ok') sent.push(...Array.from({ length: count }, () => now));
    else if (answer.retryAt === null) assert.ok(count > limit);
    else {
      assert.deepEqual(await ledger.chargeMessageRate({ ...order, now: answer.retryAt - 1 }), answer);
      assert.deepEqual(await ledger.chargeMessageRate({ ...order, now: answer.retryAt }), OK);
      now = answer.retryAt;
      sent.push(...Array.from({ length: count }, () => now));
    }
    for (const end of sent) {
      assert.ok(sent.filter((at) => at <= end && at > end - period).length <= limit);
    }
  }
}
