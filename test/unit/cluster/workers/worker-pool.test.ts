import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { pino } from 'pino';
import { Counter, Registry } from 'prom-client';
import { IpcChannel } from '../../../../src/cluster/workers/ipc-channel.ts';
import { Supervisor } from '../../../../src/cluster/workers/supervisor.ts';
import { WorkerPool } from '../../../../src/cluster/workers/worker-pool.ts';
import type { WorkerExit, WorkerProcess } from '../../../../src/cluster/workers/worker-process.ts';

/** Both ends of a worker that runs in this process. */
interface FakeWorker {
  readonly process: WorkerProcess;
  readonly inside: IpcChannel;
  readonly signals: string[];
  /** Ends the process. */
  readonly exit: (exit: WorkerExit) => void;
}

function createFakeWorker(number: number): FakeWorker {
  const sendTo = (other: () => IpcChannel) => (message: object) =>
    setImmediate(() => other().receive(structuredClone(message)));
  const channel: IpcChannel = new IpcChannel(sendTo(() => inside));
  const inside: IpcChannel = new IpcChannel(sendTo(() => channel));
  const signals: string[] = [];
  const exit = Promise.withResolvers<WorkerExit>();
  const process: WorkerProcess = {
    number,
    pid: number,
    channel,
    ready: false,
    config: undefined,
    lastMetrics: [],
    fetchMetrics: async () => {},
    exited: exit.promise,
    kill: (signal) => void signals.push(signal),
  };
  return { process, inside, signals, exit: exit.resolve };
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
  return { pool, workers, warnings, serve, log };
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

  test('releases the claims of a dead worker at once, in one that serves', async () => {
    const { workers, serve, pool } = await startPool(2);
    const [first, second] = workers as [FakeWorker, FakeWorker];
    const released: number[] = [];
    for (const { inside, process } of workers) {
      inside.handle('lead', () => {});
      inside.handle('releaseClaims', () => void released.push(process.number));
    }
    await serve(first);
    await serve(second);
    await pool.handleExit(first.process, KILLED);
    assert.deepEqual(released, [2]);
    pool.beginShutdown();
  });

  test('keeps the counters of a dead worker', async () => {
    const { workers, serve, pool } = await startPool(2);
    const [first, second] = workers as [FakeWorker, FakeWorker];
    for (const worker of workers) {
      worker.inside.handle('lead', () => {});
      worker.inside.handle('releaseClaims', () => {});
      Object.assign(worker.process, { lastMetrics: await countUploads(worker === first ? 5 : 2) });
      await serve(worker);
    }
    const text = async () => String(await second.inside.request('metrics', null, 5000));
    assert.match(await text(), /^uploads_total 7$/m);
    await pool.handleExit(first.process, KILLED);
    assert.match(await text(), /^uploads_total 7$/m);
    pool.beginShutdown();
  });

  test('has one leader at a time: another begins after the exit of the first', async () => {
    const { workers, serve, pool } = await startPool(3);
    const leaders: number[] = [];
    let onLead = () => {};
    for (const worker of workers) {
      worker.inside.handle('releaseClaims', () => {});
      worker.inside.handle('lead', () => {
        leaders.push(worker.process.number);
        onLead();
      });
    }
    const nextLeader = () =>
      new Promise<void>((resolve) => {
        onLead = resolve;
      });
    const led = nextLeader();
    for (const worker of workers) await serve(worker);
    await led;
    await pool.handleExit((workers[2] as FakeWorker).process, KILLED);
    assert.deepEqual(leaders, [1]);
    const ledAgain = nextLeader();
    await pool.handleExit((workers[0] as FakeWorker).process, KILLED);
    await ledAgain;
    assert.deepEqual(leaders, [1, 2]);
    pool.beginShutdown();
  });

  test('sends no worker a config that the first one refuses', async () => {
    const { workers, serve, pool } = await startPool(3);
    const [first, second, third] = workers as [FakeWorker, FakeWorker, FakeWorker];
    for (const { inside } of workers) inside.handle('lead', () => {});
    first.inside.handle('reload', () => {
      throw new Error('a bad certificate');
    });
    const received: unknown[] = [];
    for (const { inside } of [second, third]) inside.handle('reload', (config) => void received.push(config));
    await serve(first);
    await serve(second);
    await assert.rejects(pool.reload('bad config'), /a bad certificate/);
    await serve(third);
    assert.deepEqual(
      workers.map(({ process }) => process.config),
      ['first config', 'first config', 'first config'],
    );
    assert.deepEqual(received, []);
    pool.beginShutdown();
  });
});

describe('a supervisor', () => {
  test('gives up with the exit code when no worker can start any more', async (t) => {
    const { workers, pool, log } = await startPool(1);
    const [worker] = workers as [FakeWorker];
    worker.inside.handle('lead', () => {});
    let starts = 0;
    const gaveUp = Promise.withResolvers<number>();
    const launch = pool.launch.bind(pool);
    pool.launch = (number) => {
      starts += 1;
      if (starts > 8) gaveUp.reject(new Error('starts a worker again and again'));
      if (starts > 1) workers[0] = createFakeWorker(1);
      const launched = launch(number);
      if (starts > 1) (workers[0] as FakeWorker).exit({ code: 3, signal: null });
      return launched;
    };
    const supervisor = new Supervisor(pool, log);
    t.after(() => supervisor.stop(0));
    const started = supervisor.startWorker(1);
    await worker.inside.request('ready', null, 5000);
    assert.equal(await started, undefined);
    worker.exit(KILLED);
    void supervisor.gaveUp.then(gaveUp.resolve);
    assert.equal(await gaveUp.promise, 3);
    assert.equal(starts, 6, 'the first one served, and five in a row did not');
  });
});

const KILLED: WorkerExit = { code: null, signal: 'SIGKILL' };

async function countUploads(count: number) {
  const registry = new Registry();
  new Counter({ name: 'uploads_total', help: 'Uploads.', registers: [registry] }).inc(count);
  return await registry.getMetricsAsJSON();
}
