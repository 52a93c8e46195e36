import assert from 'node:assert/strict';
import { describe } from 'node:test';
import type { BeginRequestParams, Ledger } from '../../../src/ledger/contract/ledger.ts';
import { DAY, JULIET, ledgerTest, NOW, type OpenTestLedger, ROMEO, SECOND } from './fixture.ts';

const begin = (ledger: Ledger, wish: Partial<BeginRequestParams> = {}) => {
  const order = { owner: ROMEO, key: 'k', digest: 'd', instance: 'here', now: NOW, expiresAt: NOW + DAY };
  return ledger.beginRequest({ ...order, ...wish });
};
const NEW = { outcome: 'new' };
const RUNNING = { outcome: 'running' };
const mine = { owner: ROMEO, key: 'k' };

export function idempotencySuite(open: OpenTestLedger): void {
  describe('a request that named itself', () => {
    ledgerTest(open, 'is done by one of all who come with it', async (ledger, opened) => {
      const other = await opened.openAgain();
      const answers = await Promise.all([ledger, other, ledger, other].map((one) => begin(one)));
      assert.deepEqual(answers.map(({ outcome }) => outcome).toSorted(), [
        'new',
        'running',
        'running',
        'running',
      ]);
      await other.close();
    });

    ledgerTest(open, 'is answered as the first time from then on, until it expires', async (ledger) => {
      await begin(ledger);
      await ledger.finishRequest({ ...mine, response: '{"ids":["ä"]}' });
      const done = { outcome: 'done', response: '{"ids":["ä"]}' };
      assert.deepEqual(await begin(ledger), done);
      assert.deepEqual(await begin(ledger, { now: NOW + DAY - 1 }), done);
      assert.deepEqual(await begin(ledger, { now: NOW + DAY, expiresAt: NOW + 2 * DAY }), NEW);
      assert.deepEqual(await begin(ledger, { now: NOW + DAY }), RUNNING);
    });

    ledgerTest(open, 'shares its key with no other request, but with those of others', async (ledger) => {
      await begin(ledger);
      assert.deepEqual(await begin(ledger, { digest: 'else' }), { outcome: 'key_reused' });
      assert.deepEqual(await begin(ledger, { owner: JULIET, digest: 'else' }), NEW);
      assert.deepEqual(await begin(ledger, { key: 'l' }), NEW);
      await ledger.finishRequest({ ...mine, response: '' });
      assert.deepEqual(await begin(ledger, { digest: 'else' }), { outcome: 'key_reused' });
      assert.deepEqual(await begin(ledger), { outcome: 'done', response: '' });
    });

    ledgerTest(open, 'can be done again where it came to nothing', async (ledger) => {
      await begin(ledger);
      await ledger.dropRequest(mine);
      assert.deepEqual(await begin(ledger, { digest: 'else' }), NEW);
      await ledger.finishRequest({ ...mine, response: 'sent' });
      await ledger.dropRequest(mine);
      assert.equal((await begin(ledger, { digest: 'else' })).outcome, 'done', 'what is done stays done');
    });

    ledgerTest(open, 'is new again where its process is dead or has long been silent', async (ledger) => {
      await begin(ledger, { instance: 'dead' });
      assert.deepEqual(await begin(ledger), RUNNING);
      await ledger.removeInstances(['dead']);
      assert.deepEqual(await begin(ledger, { instance: 'silent' }), NEW);
      const minute = NOW + 60 * SECOND;
      assert.deepEqual(await begin(ledger, { now: minute - 1 }), RUNNING);
      await ledger.heartbeat({ id: 'silent', host: 'h', pid: 1, now: NOW + SECOND });
      assert.deepEqual(await begin(ledger, { now: minute }), RUNNING);
      assert.deepEqual(await begin(ledger, { now: minute + SECOND }), NEW);
    });

    ledgerTest(open, 'is swept once its time is over, and goes with its owner', async (ledger) => {
      for (const key of ['1', '2', '3']) await begin(ledger, { key });
      await begin(ledger, { key: 'later', expiresAt: NOW + 2 * DAY });
      const step = { kind: 'idempotency_keys', limit: 2, now: NOW + DAY } as const;
      assert.equal((await ledger.sweep({ ...step, limit: 9, dryRun: true })).count, 3);
      assert.deepEqual([(await ledger.sweep(step)).count, (await ledger.sweep(step)).count], [2, 1]);
      assert.deepEqual(await begin(ledger, { key: 'later' }), RUNNING);
      await begin(ledger, { owner: JULIET });
      assert.deepEqual(await ledger.forget({ owner: ROMEO, limit: 9, now: NOW }), { removed: 0, left: 0 });
      assert.deepEqual(await begin(ledger, { key: 'later' }), NEW);
      assert.deepEqual(await begin(ledger, { owner: JULIET }), RUNNING);
    });
  });
}
