import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { RelayFault } from '../../../src/base/relay.ts';
import { createLine, type Line } from '../../../src/fleet/line.ts';

/** Two ends of one channel, which copies what passes, as one between processes does. */
function joined(): [Line, Line] {
  const to = (other: () => Line) => (message: object) =>
    setImmediate(() => other().take(structuredClone(message)));
  const one: Line = createLine(to(() => two));
  const two: Line = createLine(to(() => one));
  return [one, two];
}

describe('the line between supervisor and worker', () => {
  test('carries questions and answers both ways at once', async () => {
    const [one, two] = joined();
    one.serve('double', (n) => Number(n) * 2);
    two.serve('square', (n) => Number(n) ** 2);
    const asked = [two.ask('double', 4, 5000), one.ask('square', 5, 5000), two.ask('double', 6, 5000)];
    assert.deepEqual(await Promise.all(asked), [8, 25, 12]);
  });

  test('tells what became of a question', async () => {
    const [one, two] = joined();
    two.serve('busy', () => {
      throw new RelayFault('busy', 'not now');
    });
    two.serve('broken', () => {
      throw new Error('the reason');
    });
    two.serve('never', () => new Promise(() => {}));
    await assert.rejects(one.ask('busy', null, 5000), { kind: 'busy', message: 'not now' });
    await assert.rejects(one.ask('broken', null, 5000), { kind: 'failed', message: 'the reason' });
    await assert.rejects(one.ask('unknown', null, 5000), { kind: 'unavailable' });
    await assert.rejects(one.ask('never', null, 10), { kind: 'late' });
  });

  test('leaves nobody waiting for a process that is gone', async () => {
    const [one, two] = joined();
    two.serve('never', () => new Promise(() => {}));
    const asked = one.ask('never', null, 60_000);
    one.end();
    await assert.rejects(asked, { kind: 'unavailable' });
    await assert.rejects(one.ask('never', null, 60_000), { kind: 'unavailable' });
  });

  test('keeps no more questions in mind than it can', async () => {
    const [one, two] = joined();
    two.serve('never', () => new Promise(() => {}));
    const asked = Array.from({ length: 5001 }, () => one.ask('never', null, 60_000));
    await assert.rejects(
      Promise.any([asked[5000]]),
      (error: AggregateError) => error.errors[0]?.kind === 'busy',
    );
    one.end();
    await Promise.allSettled(asked);
  });

  test('passes over what others say on the channel', () => {
    const [one] = joined();
    for (const message of [null, 'hello', { cmd: 'NODE_CLUSTER' }]) one.take(message);
  });
});
