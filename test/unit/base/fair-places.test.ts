import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { createFairPlaces, type FairPlacesLimits } from '../../../src/base/concurrency-limit.ts';
import { Refusal } from '../../../src/base/errors.ts';

const ROMEO = 'romeo@example.org';
const JULIET = 'juliet@example.org';
const NEVER = new AbortController().signal;

/** Takes places, and records the order in which they are given. */
function createRecorder(limit: () => number, bounds: Partial<FairPlacesLimits> = {}) {
  const places = createFairPlaces({ places: limit, ...bounds });
  const started: string[] = [];
  const releases = new Map<string, () => void>();
  return {
    started,
    async take(name: string, sender: string, signal = NEVER) {
      void places.take(sender, signal).then(
        (release) => {
          started.push(name);
          releases.set(name, release);
        },
        (error) => started.push(`${name} ${error instanceof Refusal ? error.code : 'gave up'}`),
      );
      await nextTurn();
    },
    async release(name: string) {
      releases.get(name)?.();
      await nextTurn();
    },
  };
}

describe('places that senders share', () => {
  test('a sender with many files leaves a place to others', async () => {
    const { take, started } = createRecorder(() => 3);
    for (const name of ['r1', 'r2', 'r3', 'r4']) await take(name, ROMEO);
    assert.deepEqual(started, ['r1', 'r2']);
    await take('j1', JULIET);
    assert.deepEqual(started, ['r1', 'r2', 'j1']);
  });

  test('waiting senders take turns, however many files each has', async () => {
    const { take, release, started } = createRecorder(() => 1);
    for (const name of ['r1', 'r2', 'r3']) await take(name, ROMEO);
    for (const name of ['j1', 'j2']) await take(name, JULIET);
    for (const name of ['r1', 'r2', 'j1', 'r3']) await release(name);
    assert.deepEqual(started, ['r1', 'r2', 'j1', 'r3', 'j2']);
  });

  test('a sender that gives up leaves the queue, and a place is given back once', async () => {
    const { take, release, started } = createRecorder(() => 1);
    const stop = new AbortController();
    await take('r1', ROMEO);
    await take('r2', ROMEO, stop.signal);
    stop.abort();
    await nextTurn();
    await release('r1');
    await release('r1');
    await take('j1', JULIET);
    await take('j2', JULIET);
    assert.deepEqual(started, ['r1', 'r2 gave up', 'j1']);
  });

  test('a larger limit takes effect with the next change', async () => {
    let limit = 1;
    const { take, release, started } = createRecorder(() => limit);
    for (const name of ['r1', 'r2']) await take(name, ROMEO);
    for (const name of ['j1', 'j2']) await take(name, JULIET);
    limit = 3;
    await release('r1');
    assert.deepEqual(started.toSorted(), ['j1', 'j2', 'r1', 'r2']);
  });

  test('a sender with too many waiting files is refused, while another one may wait', async () => {
    const { take, release, started } = createRecorder(() => 1, { waiting: 3, waitingPerSender: 2 });
    for (const name of ['r1', 'r2', 'r3', 'r4']) await take(name, ROMEO);
    for (const name of ['j1', 'j2']) await take(name, JULIET);
    assert.deepEqual(started, ['r1', 'r4 busy', 'j2 busy']);
    await release('r1');
    await take('j3', JULIET);
    assert.deepEqual(started.slice(3), ['r2']);
  });

  test('one that gives up makes room for another one to wait', async () => {
    const { take, release, started } = createRecorder(() => 1, { waiting: 1 });
    const stop = new AbortController();
    await take('r1', ROMEO);
    await take('j1', JULIET, stop.signal);
    stop.abort();
    await nextTurn();
    await take('j2', JULIET);
    await release('r1');
    assert.deepEqual(started, ['r1', 'j1 gave up', 'j2']);
  });
});
