import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { RelayError } from '../../../../src/cluster/relay.ts';
import { createIpcChannel, type IpcChannel } from '../../../../src/cluster/workers/ipc-channel.ts';

/** Two ends of one channel, which copies what passes, as one between processes does. */
function joined(): [IpcChannel, IpcChannel] {
  const to = (other: () => IpcChannel) => (message: object) =>
    setImmediate(() => other().receive(structuredClone(message)));
  const one: IpcChannel = createIpcChannel(to(() => two));
  const two: IpcChannel = createIpcChannel(to(() => one));
  return [one, two];
}

describe('the line between supervisor and worker', () => {
  test('carries questions and answers both ways at once', async () => {
    const [one, two] = joined();
    one.handle('double', (n) => Number(n) * 2);
    two.handle('square', (n) => Number(n) ** 2);
    const asked = [
      two.request('double', 4, 5000),
      one.request('square', 5, 5000),
      two.request('double', 6, 5000),
    ];
    assert.deepEqual(await Promise.all(asked), [8, 25, 12]);
  });

  test('tells what became of a question', async () => {
    const [one, two] = joined();
    two.handle('busy', () => {
      throw new RelayError('busy', 'not now');
    });
    two.handle('broken', () => {
      throw new Error('the reason');
    });
    two.handle('never', () => new Promise(() => {}));
    await assert.rejects(one.request('busy', null, 5000), { kind: 'busy', message: 'not now' });
    await assert.rejects(one.request('broken', null, 5000), { kind: 'failed', message: 'the reason' });
    await assert.rejects(one.request('unknown', null, 5000), { kind: 'unavailable' });
    await assert.rejects(one.request('never', null, 10), { kind: 'late' });
  });

  test('leaves nobody waiting for a process that is gone', async () => {
    const [one, two] = joined();
    two.handle('never', () => new Promise(() => {}));
    const asked = one.request('never', null, 60_000);
    one.close();
    await assert.rejects(asked, { kind: 'unavailable' });
    await assert.rejects(one.request('never', null, 60_000), { kind: 'unavailable' });
  });

  test('keeps no more questions in mind than it can', async () => {
    const [one, two] = joined();
    two.handle('never', () => new Promise(() => {}));
    const asked = Array.from({ length: 5001 }, () => one.request('never', null, 60_000));
    await assert.rejects(
      Promise.any([asked[5000]]),
      (error: AggregateError) => error.errors[0]?.kind === 'busy',
    );
    one.close();
    await Promise.allSettled(asked);
  });

  test('passes over what others say on the channel', () => {
    const [one] = joined();
    for (const message of [null, 'hello', { cmd: 'NODE_CLUSTER' }]) one.receive(message);
  });
});
