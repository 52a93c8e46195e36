import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { createPartMemory } from '../../../src/blobs/s3-memory.ts';

describe('the memory for parts', () => {
  test('has an end, and what is given back can be taken again', () => {
    const memory = createPartMemory(1000);
    const leases = [memory.take(200), memory.take(200)];
    assert.ok(leases.every((lease) => lease !== undefined));
    assert.equal(memory.take(200), undefined);
    for (const lease of leases) lease?.end(true);
    assert.ok(memory.take(200));
  });

  test('keeps room for small ones when large ones are many', () => {
    const memory = createPartMemory(1000);
    while (memory.take(100)) {
      // Until no large one is let in.
    }
    assert.ok(memory.take(10));
  });

  test('lets those who wait in by turns, and one who is alone always', async () => {
    const memory = createPartMemory(100);
    const first = await memory.wait(500);
    const order: string[] = [];
    const second = memory.wait(60).then((lease) => {
      order.push('second');
      return lease;
    });
    const third = memory.wait(60).then((lease) => {
      order.push('third');
      return lease;
    });
    assert.equal(memory.take(1), undefined);
    first.end(true);
    (await second).end(false);
    (await third).end(true);
    assert.deepEqual(order, ['second', 'third']);
  });

  test('is given back once, however often it is said', () => {
    const memory = createPartMemory(100);
    const lease = memory.take(25);
    lease?.end(true);
    lease?.end(true);
    assert.ok(memory.take(25));
    assert.equal(memory.take(25), undefined);
  });
});
