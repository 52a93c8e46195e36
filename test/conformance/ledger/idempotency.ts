import assert from 'node:assert/strict';
import { describe } from 'node:test';
import type { BeginRequestParams, Ledger } from '../../../src/ledger/contract/ledger.ts';
import {
  DAY,
  FORGOT_NOTHING,
  heartbeatOf,
  JULIET,
  ledgerTest,
  NOW,
  type OpenTestLedger,
  ROMEO,
  SECOND,
} from './fixture.ts';

const begin = (ledger: Ledger, options: Partial<BeginRequestParams> = {}) => {
  const expiresAt = NOW + DAY;
  const params = { owner: ROMEO, key: 'k', digest: 'd', instance: 'here', now: NOW, expiresAt, limit: 99 };
  return ledger.beginRequest({ ...params, ...options, ledgerTime: options.now ?? NOW });
};
const NEW = { outcome: 'new' };
const RUNNING = { outcome: 'running' };
const key = { owner: ROMEO, key: 'k' };

export function idempotencySuite(open: OpenTestLedger): void {
  describe('idempotency keys', () => {
    ledgerTest(open, 'start one of several concurrent requests', async (ledger, opened) => {
      const other = await opened.openAgain();
      const results = await Promise.all([ledger, other, ledger, other].map((one) => begin(one)));
      assert.deepEqual(results.map(({ outcome }) => outcome).toSorted(), [
        'new',
        'running',
        'running',
        'running',
      ]);
      await other.close();
    });

    ledgerTest(open, 'return the first response until they expire', async (ledger) => {
      await begin(ledger);
      await ledger.finishRequest({ ...key, response: '{"ids":["ä"]}' });
      const done = { outcome: 'done', response: '{"ids":["ä"]}' };
      assert.deepEqual(await begin(ledger), done);
      assert.deepEqual(await begin(ledger, { now: NOW + DAY - 1 }), done);
      assert.deepEqual(await begin(ledger, { now: NOW + DAY, expiresAt: NOW + 2 * DAY }), NEW);
      assert.deepEqual(await begin(ledger, { now: NOW + DAY }), RUNNING);
    });

    ledgerTest(open, 'belong to one request of one owner', async (ledger) => {
      await begin(ledger);
      assert.deepEqual(await begin(ledger, { digest: 'different' }), { outcome: 'key_reused' });
      assert.deepEqual(await begin(ledger, { owner: JULIET, digest: 'different' }), NEW);
      assert.deepEqual(await begin(ledger, { key: 'l' }), NEW);
      await ledger.finishRequest({ ...key, response: '' });
      assert.deepEqual(await begin(ledger, { digest: 'different' }), { outcome: 'key_reused' });
      assert.deepEqual(await begin(ledger), { outcome: 'done', response: '' });
      const juliet = { owner: JULIET, digest: 'different' };
      assert.deepEqual(await begin(ledger, juliet), RUNNING);
      await ledger.finishRequest({ owner: JULIET, key: 'k', response: 'of Juliet' });
      assert.deepEqual(await begin(ledger, juliet), { outcome: 'done', response: 'of Juliet' });
      await ledger.dropRequest({ owner: JULIET, key: 'l' });
      assert.deepEqual(await begin(ledger, { key: 'l' }), RUNNING);
    });

    ledgerTest(open, 'are limited for each owner', async (ledger) => {
      for (const key of ['a', 'b', 'c']) assert.deepEqual(await begin(ledger, { key, limit: 3 }), NEW);
      assert.deepEqual(await begin(ledger, { key: 'd', limit: 3 }), { outcome: 'too_many' });
      assert.deepEqual(await begin(ledger, { key: 'd', limit: 4 }), NEW, 'the refused one left nothing');
      assert.deepEqual(await begin(ledger, { key: 'a', limit: 3 }), RUNNING, 'known keys still work');
      assert.deepEqual(await begin(ledger, { key: 'd', owner: JULIET, limit: 3 }), NEW);
      const tomorrow = { now: NOW + DAY, expiresAt: NOW + 2 * DAY };
      assert.deepEqual(
        await begin(ledger, { key: 'a', limit: 4, ...tomorrow }),
        NEW,
        'expired ones are replaced',
      );
    });

    ledgerTest(open, 'allow a new request after a failed one was dropped', async (ledger) => {
      await begin(ledger);
      await ledger.dropRequest(key);
      assert.deepEqual(await begin(ledger, { digest: 'different' }), NEW);
      await ledger.finishRequest({ ...key, response: 'sent' });
      await ledger.dropRequest(key);
      assert.equal(
        (await begin(ledger, { digest: 'different' })).outcome,
        'done',
        'a finished request is not dropped',
      );
    });

    ledgerTest(
      open,
      'allow a new request if the process ended or sent no heartbeat for a minute',
      async (ledger) => {
        await begin(ledger, { instance: 'dead' });
        assert.deepEqual(await begin(ledger), RUNNING);
        await ledger.removeInstances(['dead']);
        assert.deepEqual(await begin(ledger, { instance: 'quiet' }), NEW);
        const minute = NOW + 60 * SECOND;
        assert.deepEqual(await begin(ledger, { now: minute - 1 }), RUNNING);
        await ledger.heartbeat(heartbeatOf('quiet', NOW + SECOND));
        assert.deepEqual(await begin(ledger, { now: minute }), RUNNING);
        assert.deepEqual(await begin(ledger, { now: minute + SECOND }), NEW);
      },
    );

    ledgerTest(open, 'are swept after they expire, and deleted with their owner', async (ledger) => {
      for (const key of ['1', '2', '3']) await begin(ledger, { key });
      await begin(ledger, { key: 'later', expiresAt: NOW + 2 * DAY });
      const step = { kind: 'idempotency_keys', limit: 2, now: NOW + DAY } as const;
      assert.equal((await ledger.sweep({ ...step, limit: 9, dryRun: true })).count, 3);
      assert.deepEqual([(await ledger.sweep(step)).count, (await ledger.sweep(step)).count], [2, 1]);
      assert.deepEqual(await begin(ledger, { key: 'later' }), RUNNING);
      await begin(ledger, { owner: JULIET });
      assert.deepEqual(await ledger.forget({ owner: ROMEO, limit: 9, now: NOW }), FORGOT_NOTHING);
      assert.deepEqual(await begin(ledger, { key: 'later' }), NEW);
      assert.deepEqual(await begin(ledger, { owner: JULIET }), RUNNING);
    });
  });
}
