import assert from 'node:assert/strict';
import { describe, mock, test } from 'node:test';
import {
  createSemaphore,
  memoizeFor,
  memoizeLast,
  raceAbort,
  sleep,
  withTimeout,
} from '../../../src/base/async.ts';

const never = new Promise<never>(() => {});

describe('createSemaphore', () => {
  test('runs at most the given number at a time, in the order of the calls', async () => {
    const limited = createSemaphore(2);
    const started: number[] = [];
    const work = [0, 1, 2, 3].map((number) => {
      const { promise, resolve } = Promise.withResolvers<void>();
      const done = limited(async () => {
        started.push(number);
        await promise;
      });
      return { resolve, done };
    });
    await sleep(0);
    assert.deepEqual(started, [0, 1]);
    work[1]?.resolve();
    await work[1]?.done;
    await sleep(0);
    assert.deepEqual(started, [0, 1, 2]);
    for (const { resolve } of work) resolve();
    await Promise.all(work.map(({ done }) => done));
    assert.deepEqual(started, [0, 1, 2, 3]);
  });

  test('gives the place of failed work to the next', async () => {
    const limited = createSemaphore(1);
    const failed = limited(() => Promise.reject(new Error('broken')));
    const next = limited(async () => 'done');
    await assert.rejects(failed, /broken/);
    assert.equal(await next, 'done');
  });
});

describe('sleep', () => {
  test('ends early when the signal aborts, and at once if it has aborted before', async () => {
    const stopping = new AbortController();
    const sleeping = sleep(60_000, stopping.signal);
    stopping.abort();
    await sleeping;
    await sleep(60_000, stopping.signal);
  });
});

describe('withTimeout', () => {
  test('settles as the work does', async () => {
    const tooLate = () => new Error('too late');
    assert.equal(await withTimeout(Promise.resolve(1), 60_000, tooLate), 1);
    await assert.rejects(withTimeout(Promise.reject(new Error('broken')), 60_000, tooLate), /broken/);
  });

  test('rejects with the given error after the time', async () => {
    await assert.rejects(
      withTimeout(never, 1, () => new RangeError('too late')),
      RangeError,
    );
  });
});

describe('raceAbort', () => {
  test('settles as the work does', async () => {
    const { signal } = new AbortController();
    assert.equal(await raceAbort(Promise.resolve(1), signal), 1);
    await assert.rejects(raceAbort(Promise.reject(new Error('broken')), signal), /broken/);
  });

  test("rejects with the signal's reason, before or during the work", async () => {
    const controller = new AbortController();
    const racing = raceAbort(never, controller.signal);
    controller.abort(new RangeError('stopped'));
    await assert.rejects(racing, RangeError);
    await assert.rejects(raceAbort(never, controller.signal), RangeError);
  });
});

describe('memoizeFor', () => {
  test('shares one running load, keeps its result for the time, then loads again', async () => {
    let now = 1000;
    mock.method(performance, 'now', () => now);
    try {
      let loads = 0;
      const cached = memoizeFor(100, async () => {
        loads += 1;
        return loads;
      });
      assert.deepEqual(await Promise.all([cached(), cached()]), [1, 1]);
      now += 99;
      assert.equal(await cached(), 1);
      now += 1;
      assert.equal(await cached(), 2);
    } finally {
      mock.restoreAll();
    }
  });
});

describe('memoizeLast', () => {
  test('creates a value again only for another key', () => {
    let created = 0;
    const cached = memoizeLast((key: { readonly n: number }) => {
      created += 1;
      return key.n;
    });
    const first = { n: 1 };
    assert.deepEqual([cached(first), cached(first), cached({ n: 2 }), cached(first)], [1, 1, 2, 1]);
    assert.equal(created, 3);
  });
});
