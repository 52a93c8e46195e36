import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { createLog } from '../../../src/base/log.ts';
import { OtherMachineError } from '../../../src/server/stores.ts';
import { openAfterOtherMachine } from '../../../src/server/wait-for-other-machine.ts';

const log = createLog({ level: 'silent', format: 'json' });

/** Runs the wait with attempts that find these heartbeats. Undefined: no fresh heartbeat, so the ledger opens. */
async function openAfter(heartbeats: readonly (number | undefined)[], signal?: AbortSignal) {
  let attempts = 0;
  let waitedMs = 0;
  const open = async () => {
    const seenAt = heartbeats[Math.min(attempts++, heartbeats.length - 1)];
    if (seenAt === undefined) return 'open';
    throw new OtherMachineError('porter.db', { host: 'alpha', pid: 1, seenAt, silentMs: 0 });
  };
  const wait = async (ms: number) => {
    waitedMs += ms;
  };
  const result = await openAfterOtherMachine(open, { log, signal, wait }).catch((error: unknown) => error);
  return { result, waitedMs };
}

describe('a server that finds a fresh heartbeat of another machine', () => {
  test('starts once the heartbeat has expired', async () => {
    assert.deepEqual(await openAfter([1000, 1000, 1000, undefined]), { result: 'open', waitedMs: 15_000 });
  });

  test('is refused as soon as the other server sends another heartbeat', async () => {
    const { result, waitedMs } = await openAfter([1000, 1000, 11_000, undefined]);
    assert.ok(result instanceof OtherMachineError);
    assert.equal(waitedMs, 10_000);
  });

  test('waits no longer than a heartbeat is valid, also if the clocks differ', async () => {
    const { result, waitedMs } = await openAfter([1000]);
    assert.ok(result instanceof OtherMachineError);
    assert.equal(waitedMs, 60_000);
  });

  test('does not wait once it shall stop', async () => {
    const { result, waitedMs } = await openAfter([1000, undefined], AbortSignal.abort());
    assert.ok(result instanceof OtherMachineError);
    assert.equal(waitedMs, 0);
  });

  test('fails at once for any other reason', async () => {
    const open = () => Promise.reject(new Error('disk'));
    await assert.rejects(openAfterOtherMachine(open, { log }), /disk/);
  });
});
