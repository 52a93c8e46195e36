import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { RelayError } from '../../../../src/cluster/relay.ts';
import { IpcChannel } from '../../../../src/cluster/workers/ipc-channel.ts';

/** Creates both ends of a channel. Messages are cloned, as between processes. */
function createChannelPair(): [IpcChannel, IpcChannel] {
  const sendTo = (other: () => IpcChannel) => (message: object) =>
    setImmediate(() => other().receive(structuredClone(message)));
  const one: IpcChannel = new IpcChannel(sendTo(() => two));
  const two: IpcChannel = new IpcChannel(sendTo(() => one));
  return [one, two];
}

describe('the IPC channel between supervisor and worker', () => {
  test('carries requests and responses in both directions at the same time', async () => {
    const [one, two] = createChannelPair();
    one.handle('double', (n) => Number(n) * 2);
    two.handle('square', (n) => Number(n) ** 2);
    const responses = [
      two.request('double', 4, 5000),
      one.request('square', 5, 5000),
      two.request('double', 6, 5000),
    ];
    assert.deepEqual(await Promise.all(responses), [8, 25, 12]);
  });

  test('rejects a request with the error kind of the other process', async () => {
    const [one, two] = createChannelPair();
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
    await assert.rejects(one.request('never', null, 10), { kind: 'timeout' });
  });

  test('rejects pending and later requests once the other process has exited', async () => {
    const [one, two] = createChannelPair();
    two.handle('never', () => new Promise(() => {}));
    const pending = one.request('never', null, 60_000);
    one.close();
    await assert.rejects(pending, { kind: 'unavailable' });
    await assert.rejects(one.request('never', null, 60_000), { kind: 'unavailable' });
  });

  test('refuses requests beyond the limit of pending ones', async () => {
    const [one, two] = createChannelPair();
    two.handle('never', () => new Promise(() => {}));
    const requests = Array.from({ length: 5001 }, () => one.request('never', null, 60_000));
    await assert.rejects(
      Promise.any([requests[5000]]),
      (error: AggregateError) => error.errors[0]?.kind === 'busy',
    );
    one.close();
    await Promise.allSettled(requests);
  });

  test("ignores messages of Node's cluster module", () => {
    const [one] = createChannelPair();
    for (const message of [null, 'hello', { cmd: 'NODE_CLUSTER' }]) one.receive(message);
  });
});
