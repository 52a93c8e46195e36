import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { createPartMemory } from '../../../../src/blobs/s3/part-memory.ts';

describe('the memory for parts', () => {
  test('has an end, and what is given back can be taken again', () => {
    const memory = createPartMemory(1000);
    const leases = [memory.tryAcquire(200), memory.tryAcquire(200)];
    assert.ok(leases.every((lease) => lease !== undefined));
    assert.equal(memory.tryAcquire(200), undefined);
    for (const lease of leases) lease?.release(true);
    assert.ok(memory.tryAcquire(200));
  });

  test('keeps room for small ones when large ones are many', () => {
    const memory = createPartMemory(1000);
    while (memory.tryAcquire(100)) {
      // Until no large one is let in.
    }
    assert.ok(memory.tryAcquire(10));
  });

  test('lets those who wait in by turns, and one who is alone always', async () => {
    const memory = createPartMemory(100);
    const first = await memory.acquire(500);
    const order: string[] = [];
    const second = memory.acquire(60).then((lease) => {
      order.push('second');
      return lease;
    });
    const third = memory.acquire(60).then((lease) => {
      order.push('third');
      return lease;
    });
    assert.equal(memory.tryAcquire(1), undefined);
    first.release(true);
    (await second).release(false);
    (await third).release(true);
    assert.deepEqual(order, ['second', 'third']);
  });

  test('is given back once, however often it is said', () => {
    const memory = createPartMemory(100);
    const lease = memory.tryAcquire(25);
    lease?.release(true);
    lease?.release(true);
    assert.ok(memory.tryAcquire(25));
    assert.equal(memory.tryAcquire(25), undefined);
  });
});
