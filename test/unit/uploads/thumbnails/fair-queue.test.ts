import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createFairQueue } from '../../../../src/uploads/thumbnails/fair-queue.ts';

/** Starts work that ends when the test lets it. Returns what has begun, in order. */
function startWork(queue: ReturnType<typeof createFairQueue>) {
  const begun: string[] = [];
  const ends: (() => void)[] = [];
  const add = (owner: string, name: string, signal?: AbortSignal) =>
    queue.run(
      owner,
      () => {
        begun.push(name);
        return new Promise<void>((resolve) => ends.push(resolve));
      },
      signal,
    );
  const endNext = async () => {
    ends.shift()?.();
    await new Promise(setImmediate);
  };
  return { begun, add, endNext };
}

const LIMITS = { running: 1, waiting: 10, waitingPerOwner: 3 };

test('the work of an owner waits for one piece only of another owner with much work', async () => {
  const { begun, add, endNext } = startWork(createFairQueue(LIMITS));
  for (const name of ['a1', 'a2', 'a3', 'a4']) void add('a', name);
  void add('b', 'b1');
  void add('c', 'c1');
  for (let i = 0; i < 6; i += 1) await endNext();
  assert.deepEqual(begun, ['a1', 'a2', 'b1', 'c1', 'a3', 'a4']);
});

test('an owner with too much waiting work is refused, while another one is not', async () => {
  const { begun, add, endNext } = startWork(createFairQueue(LIMITS));
  for (const name of ['a1', 'a2', 'a3', 'a4']) void add('a', name);
  await assert.rejects(add('a', 'a5'), { code: 'busy' });
  void add('b', 'b1');
  for (let i = 0; i < 5; i += 1) await endNext();
  assert.deepEqual(begun, ['a1', 'a2', 'b1', 'a3', 'a4']);
});

test('work whose caller has left leaves the queue and makes room', async () => {
  const { begun, add, endNext } = startWork(createFairQueue({ ...LIMITS, waiting: 1 }));
  const left = new AbortController();
  void add('a', 'a1');
  const second = add('b', 'b1', left.signal);
  left.abort(new Error('left'));
  await assert.rejects(second, { message: 'left' });
  void add('c', 'c1');
  await endNext();
  await endNext();
  void add('d', 'd1');
  assert.deepEqual(begun, ['a1', 'c1', 'd1']);
});
