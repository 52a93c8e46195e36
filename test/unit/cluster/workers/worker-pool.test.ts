import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { pino } from 'pino';
import { IpcChannel } from '../../../../src/cluster/workers/ipc-channel.ts';
import { WorkerPool } from '../../../../src/cluster/workers/worker-pool.ts';
import type { WorkerExit, WorkerProcess } from '../../../../src/cluster/workers/worker-process.ts';

/** Both ends of a worker that runs in this process. */
interface FakeWorker {
  readonly process: WorkerProcess;
  readonly inside: IpcChannel;
  readonly signals: string[];
}

function createFakeWorker(number: number): FakeWorker {
  const sendTo = (other: () => IpcChannel) => (message: object) =>
    setImmediate(() => other().receive(structuredClone(message)));
  const channel: IpcChannel = new IpcChannel(sendTo(() => inside));
  const inside: IpcChannel = new IpcChannel(sendTo(() => channel));
  const signals: string[] = [];
  const process: WorkerProcess = {
    number,
    pid: number,
    channel,
    ready: false,
    config: undefined,
    lastMetrics: [],
    fetchMetrics: async () => {},
    exited: new Promise<WorkerExit>(() => {}),
    kill: (signal) => void signals.push(signal),
  };
  return { process, inside, signals };
}

async function startPool(count: number) {
  const workers = Array.from({ length: count }, (_, i) => createFakeWorker(i + 1));
  const warnings: { worker?: number; msg: string }[] = [];
  const log = pino({ level: 'warn' }, { write: (line: string) => void warnings.push(JSON.parse(line)) });
  const pool = new WorkerPool(log, 'first config', {
    startProcess: (number) => (workers[number - 1] as FakeWorker).process,
    firstRetryMs: 1,
  });
  const serve = async ({ process, inside }: FakeWorker) => {
    const { ready } = pool.launch(process.number);
    await inside.request('config', null, 5000);
    await inside.request('ready', null, 5000);
    await ready;
  };
  return { pool, workers, warnings, serve };
}

describe('a pool of workers', () => {
  test('repeats the appointment of a leader that failed, and kills no worker', async () => {
    const { workers, serve, pool } = await startPool(1);
    const [worker] = workers as [FakeWorker];
    const leads = Promise.withResolvers<void>();
    let attempts = 0;
    worker.inside.handle('lead', () => {
      attempts += 1;
      if (attempts < 3) throw new Error('no database');
      leads.resolve();
    });
    await serve(worker);
    await leads.promise;
    pool.beginShutdown();
    assert.deepEqual(worker.signals, []);
  });

  test('names a worker whose reload failed, and repeats it with the latest config', async () => {
    const { workers, warnings, serve, pool } = await startPool(2);
    const [first, second] = workers as [FakeWorker, FakeWorker];
    for (const { inside } of workers) inside.handle('lead', () => {});
    first.inside.handle('reload', () => {});
    const received: unknown[] = [];
    const isUpToDate = Promise.withResolvers<void>();
    second.inside.handle('reload', (config) => {
      received.push(config);
      if (received.length < 3) throw new Error('out of memory');
      isUpToDate.resolve();
    });
    await serve(first);
    await serve(second);
    await pool.reload('second config');
    assert.ok(warnings.some(({ worker, msg }) => worker === 2 && msg.includes('still uses its old config')));
    await isUpToDate.promise;
    pool.beginShutdown();
    assert.deepEqual(received, ['second config', 'second config', 'second config']);
    assert.deepEqual(second.signals, []);
  });
});
