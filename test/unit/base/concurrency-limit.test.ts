import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { createKeyedSemaphore } from '../../../src/base/async.ts';
import { createSharedLimit } from '../../../src/base/concurrency-limit.ts';
import { Refusal } from '../../../src/base/errors.ts';

const isBusy = (error: unknown) => error instanceof Refusal && error.code === 'busy';

describe('A limit that is shared', () => {
  test('leaves places for others when one key has used up its share', async () => {
    const limit = createSharedLimit(4, 2);
    const { promise: open, resolve: release } = Promise.withResolvers<void>();
    const running = [limit(['network a', 'x'], () => open), limit(['network a', 'y'], () => open)];
    await assert.rejects(
      limit(['network a', 'z'], () => open),
      isBusy,
    );
    running.push(
      limit(['network b', 'z'], () => open),
      limit(['network b', 'z'], () => open),
    );
    await assert.rejects(
      limit(['network c'], () => open),
      isBusy,
      'the total is a limit too',
    );
    release();
    await Promise.all(running);
    for (let round = 0; round < 5; round += 1) await limit(['network a', 'network b'], async () => undefined);
  });

  test('is given back after a failure', async () => {
    const limit = createSharedLimit(1, 1);
    for (let round = 0; round < 3; round += 1) {
      await assert.rejects(
        limit(['a'], () => Promise.reject(new Error('failed'))),
        /failed/,
      );
    }
    assert.equal(await limit(['a'], async () => 'done'), 'done');
  });
});

test('A keyed semaphore lets the work of one key wait and that of another start', async () => {
  const semaphore = createKeyedSemaphore(1);
  const { promise: open, resolve: release } = Promise.withResolvers<void>();
  const started: string[] = [];
  const run = (key: string, name: string) =>
    semaphore(key, async () => {
      started.push(name);
      await open;
    });
  const all = [run('a', 'a1'), run('a', 'a2'), run('b', 'b1')];
  await Promise.resolve();
  assert.deepEqual(started, ['a1', 'b1']);
  release();
  await Promise.all(all);
  assert.deepEqual(started, ['a1', 'b1', 'a2']);
});
