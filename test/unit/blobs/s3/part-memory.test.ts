import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { createPartMemory } from '../../../../src/blobs/s3/part-memory.ts';

describe('the part memory', () => {
  test('is limited, and released memory can be acquired again', () => {
    const memory = createPartMemory(1000);
    const leases = [memory.tryAcquire(200), memory.tryAcquire(200)];
    assert.ok(leases.every((lease) => lease !== undefined));
    assert.equal(memory.tryAcquire(200), undefined);
    for (const lease of leases) lease?.release(true);
    assert.ok(memory.tryAcquire(200));
  });

  test('keeps room for small parts when there are many large ones', () => {
    const memory = createPartMemory(1000);
    while (memory.tryAcquire(100)) {
      // Until no large part gets memory.
    }
    assert.ok(memory.tryAcquire(10));
  });

  test('serves waiting requests in order, and a single one even above the budget', async () => {
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

  test('is released once, however often release is called', () => {
    const memory = createPartMemory(100);
    const lease = memory.tryAcquire(25);
    lease?.release(true);
    lease?.release(true);
    assert.ok(memory.tryAcquire(25));
    assert.equal(memory.tryAcquire(25), undefined);
  });
});
