import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, beforeEach, describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { createLog } from '../../../../src/base/log.ts';
import type { Ledger, QueuedItem } from '../../../../src/ledger/contract/ledger.ts';
import { openSqliteLedger } from '../../../../src/ledger/sqlite/open.ts';
import {
  type AttemptResult,
  type QueueHandler,
  type QueueServices,
  startQueueRunner,
} from '../../../../src/messages/queue/queue-runner.ts';

const HOUR = 3_600_000;
const DONE: AttemptResult = { outcome: 'done' };
const FAILED: AttemptResult = { outcome: 'failed' };
const log = createLog({ level: 'silent', format: 'json' });

describe('A queue runner', () => {
  let folder = '';
  let ledger: Ledger;
  let count = 0;
  /** Added to the real time by the tests. */
  let ahead = 0;
  const clock = () => Date.now() + ahead;
  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'porter-queue-'));
  });
  beforeEach(async () => {
    count += 1;
    ahead = 0;
    ledger = await openSqliteLedger({ file: join(folder, `${count}.db`), sync: false });
  });
  after(() => rm(folder, { recursive: true }));

  async function put(queueKey: string, ...bodies: string[]): Promise<void> {
    const now = clock();
    for (const body of bodies) {
      const order = {
        queue: 'outbox',
        queueKey,
        owner: queueKey,
        body,
        now,
        giveUpAt: now + HOUR,
        limit: 999,
      } as const;
      assert.equal((await ledger.enqueue(order)).outcome, 'queued');
    }
  }

  function run(
    work: Partial<QueueHandler> & Pick<QueueHandler, 'attempt'>,
    deps: Partial<QueueServices> = {},
  ) {
    const given = { ledger, clock, log, instance: 'here', random: () => 0, ...deps };
    return startQueueRunner(given, {
      queue: 'outbox',
      concurrency: 4,
      attemptTimeout: () => 20_000,
      giveUp: async () => {},
      ...work,
    });
  }

  async function until(holds: () => boolean | Promise<boolean>): Promise<void> {
    for (const deadline = Date.now() + 30_000; !(await holds()); await sleep(5)) {
      assert.ok(Date.now() < deadline, 'it never came to that');
    }
  }
  const isEmpty = async () => (await ledger.queueLength('outbox')) === 0;

  test('keeps the order of each queue key, with one attempt per key and a limit over all', async () => {
    const numbers = Array.from({ length: 12 }, (_, i) => String(i));
    for (let queueKey = 0; queueKey < 7; queueKey += 1) await put(`key ${queueKey}`, ...numbers);
    const seen = new Map<string, string[]>();
    const active = new Set<string>();
    let most = 0;
    const runner = run({
      async attempt({ queueKey, body }) {
        assert.ok(!active.has(queueKey));
        active.add(queueKey);
        most = Math.max(most, active.size);
        await sleep(1);
        seen.set(queueKey, [...(seen.get(queueKey) ?? []), body]);
        active.delete(queueKey);
        return DONE;
      },
    });
    await until(isEmpty);
    await runner.stop();
    assert.equal(seen.size, 7);
    for (const bodies of seen.values()) assert.deepEqual(bodies, numbers);
    assert.equal(most, 4);
    await ledger.close();
  });

  test('delivers new items at once, and finds items that another process added', async () => {
    const seen: string[] = [];
    const runner = run({
      attempt: async ({ body }) => {
        seen.push(body);
        return DONE;
      },
    });
    await put('a', 'ours');
    runner.wake();
    await until(() => seen.length === 1);
    await put('a', 'theirs');
    await until(() => seen.length === 2);
    await runner.stop();
    await ledger.close();
  });

  test('retries failed items with growing delays, while other keys continue', async () => {
    await put('bad', 'stuck', 'behind');
    await put('good', 'fine');
    const tries: number[] = [];
    const seen: string[] = [];
    let failedAt = 0;
    const runner = run({
      async attempt({ body, attempts }) {
        if (body === 'stuck') {
          tries.push(attempts);
          failedAt = clock();
          if (attempts < 3) return FAILED;
        }
        seen.push(body);
        return DONE;
      },
    });
    await until(() => seen.length === 1 && tries.length === 1);
    for (const [tried, seconds] of [1, 2, 4].entries()) {
      const wait = seconds * 1000;
      await until(async () => ((await ledger.nextDueAt('outbox')) ?? 0) <= clock() + wait);
      assert.ok(((await ledger.nextDueAt('outbox')) ?? 0) >= failedAt + wait);
      ahead += wait;
      runner.wake();
      await until(() => tries.length === tried + 2);
    }
    await until(isEmpty);
    await runner.stop();
    assert.deepEqual(tries, [0, 1, 2, 3]);
    assert.deepEqual(seen, ['fine', 'stuck', 'behind']);
    await ledger.close();
  });

  test('waits as long as the peer requests, at most an hour', async () => {
    await put('a', 'soon');
    await put('b', 'late');
    const runner = run({
      attempt: async ({ body }) => ({
        outcome: 'failed',
        retryAt: clock() + (body === 'soon' ? 60_000 : 100 * HOUR),
      }),
    });
    const now = clock();
    await until(async () => ((await ledger.nextDueAt('outbox')) ?? 0) >= now + 60_000);
    await runner.stop();
    const due = await ledger.takeDue({
      queue: 'outbox',
      now: now + 2 * HOUR,
      limit: 9,
      instance: 'x',
      takenUntil: 0,
    });
    assert.deepEqual(
      due.map(({ body }) => body),
      ['soon', 'late'],
    );
    await ledger.close();
  });

  test('drops an expired item after a last attempt and continues with the next', async () => {
    await put('a', 'never', 'next');
    const given: QueuedItem[] = [];
    let tries = 0;
    const runner = run({
      async attempt({ body }) {
        if (body === 'next') return DONE;
        tries += 1;
        return FAILED;
      },
      async giveUp(item) {
        given.push(item);
        throw new Error('cannot report');
      },
    });
    await until(() => tries === 1);
    ahead += HOUR;
    runner.wake();
    await until(isEmpty);
    await runner.stop();
    assert.deepEqual([tries, given.map(({ body }) => body)], [2, ['never']]);
    await ledger.close();
  });

  test('pauses while the peer is unreachable, without counting attempts, and resumes', async () => {
    for (let queueKey = 0; queueKey < 20; queueKey += 1) await put(`key ${queueKey}`, 'x');
    let open = false;
    let tries = 0;
    const counted: number[] = [];
    const runner = run({
      async attempt({ attempts }) {
        tries += 1;
        if (!open) return { outcome: 'paused' };
        counted.push(attempts);
        return DONE;
      },
    });
    await until(() => tries >= 4);
    for (let i = 0; i < 20; i += 1) {
      runner.wake();
      await sleep(2);
    }
    assert.ok(tries <= 4, `${tries} attempts while the queue is paused`);
    open = true;
    runner.resume();
    await until(isEmpty);
    await runner.stop();
    assert.deepEqual(new Set(counted), new Set([0]));
    await ledger.close();
  });

  test('survives an attempt that throws and one that takes too long', async () => {
    await put('a', 'broken');
    await put('b', 'slow');
    const first = new Set<string>();
    const runner = run({
      attemptTimeout: () => 50,
      async attempt({ body, attempts }, signal) {
        first.add(body);
        if (attempts > 0) return DONE;
        if (body === 'broken') throw new Error('a bug');
        await once(signal, 'abort');
        return FAILED;
      },
    });
    await until(() => first.size === 2);
    ahead += 2000;
    await until(isEmpty);
    await runner.stop();
    await ledger.close();
  });

  test('returns hanging items when it stops, so that the next process gets them at once', async () => {
    await put('a', 'hanging', 'behind');
    let hangs = false;
    const runner = run({
      async attempt(_, signal) {
        hangs = true;
        await once(signal, 'abort');
        return FAILED;
      },
    });
    await until(() => hangs);
    await runner.stop(0);
    const seen: string[] = [];
    const next = run(
      {
        async attempt({ body, attempts }) {
          seen.push(`${body} ${attempts}`);
          return DONE;
        },
      },
      { instance: 'next' },
    );
    await until(isEmpty);
    await next.stop();
    assert.deepEqual(seen, ['hanging 0', 'behind 0']);
    await ledger.close();
  });

  test('waits for running attempts when it stops', async () => {
    await put('a', 'x', 'y');
    const begun = Promise.withResolvers<void>();
    const end = Promise.withResolvers<void>();
    const runner = run({
      async attempt() {
        begun.resolve();
        await end.promise;
        return DONE;
      },
    });
    await begun.promise;
    const stopped = runner.stop(60_000);
    end.resolve();
    await stopped;
    assert.equal(await ledger.queueLength('outbox'), 1);
    await ledger.close();
  });

  test('delivers nothing twice if the ledger fails after a delivery', async () => {
    await put('a', 'x');
    let tries = 0;
    let refusals = 0;
    const flaky: QueueServices['ledger'] = {
      ...ledger,
      async removeQueued(place) {
        refusals += 1;
        if (refusals === 1) throw new Error('away');
        await ledger.removeQueued(place);
      },
    };
    const runner = run(
      {
        async attempt() {
          tries += 1;
          return DONE;
        },
      },
      { ledger: flaky },
    );
    await until(isEmpty);
    await runner.stop();
    assert.deepEqual([tries, refusals], [1, 2]);
    await ledger.close();
  });
});
