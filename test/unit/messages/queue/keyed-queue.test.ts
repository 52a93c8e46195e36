import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { createKeyedQueue } from '../../../../src/messages/queue/keyed-queue.ts';

describe('lines of work', () => {
  test('go one after the other, in the order of the calls, whatever becomes of those before', async () => {
    const lines = createKeyedQueue();
    const gate = Promise.withResolvers<void>();
    const done: string[] = [];
    const work = (name: string, waits?: Promise<void>) => async () => {
      await waits;
      done.push(name);
      if (name === 'a2') throw new Error('a2 failed');
      return name;
    };
    const runs = [
      lines.run('a', work('a1', gate.promise)),
      lines.run('a', work('a2')),
      lines.run('a', work('a3')),
      lines.run('b', work('b1')),
    ];
    assert.deepEqual([lines.size, lines.isBusy('a'), lines.isBusy('c')], [4, true, false]);
    assert.equal(await runs[3], 'b1');
    assert.deepEqual(done, ['b1']);
    gate.resolve();
    const ends = await Promise.allSettled(runs);
    assert.deepEqual(
      ends.map(({ status }) => status),
      ['fulfilled', 'rejected', 'fulfilled', 'fulfilled'],
    );
    assert.deepEqual(done, ['b1', 'a1', 'a2', 'a3']);
    assert.deepEqual([lines.size, lines.isBusy('a'), lines.isBusy('b')], [0, false, false]);
  });
});
