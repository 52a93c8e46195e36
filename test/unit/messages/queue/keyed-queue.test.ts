import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { createKeyedQueue } from '../../../../src/messages/queue/keyed-queue.ts';

describe('A keyed queue', () => {
  test('runs the work of each key in the order of the calls, also after a failure', async () => {
    const queue = createKeyedQueue();
    const gate = Promise.withResolvers<void>();
    const done: string[] = [];
    const work = (name: string, waits?: Promise<void>) => async () => {
      await waits;
      done.push(name);
      if (name === 'a2') throw new Error('a2 failed');
      return name;
    };
    const runs = [
      queue.run('a', work('a1', gate.promise)),
      queue.run('a', work('a2')),
      queue.run('a', work('a3')),
      queue.run('b', work('b1')),
    ];
    assert.deepEqual([queue.size, queue.isBusy('a'), queue.isBusy('c')], [4, true, false]);
    assert.equal(await runs[3], 'b1');
    assert.deepEqual(done, ['b1']);
    gate.resolve();
    const ends = await Promise.allSettled(runs);
    assert.deepEqual(
      ends.map(({ status }) => status),
      ['fulfilled', 'rejected', 'fulfilled', 'fulfilled'],
    );
    assert.deepEqual(done, ['b1', 'a1', 'a2', 'a3']);
    assert.deepEqual([queue.size, queue.isBusy('a'), queue.isBusy('b')], [0, false, false]);
  });
});
