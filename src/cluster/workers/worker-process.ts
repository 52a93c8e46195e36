import cluster from 'node:cluster';
import type { MetricsSnapshot, MetricsSource } from '../../metrics/worker-metrics.ts';
import { IpcChannel } from './ipc-channel.ts';

const METRICS_TIMEOUT_MS = 2_000;

export interface WorkerExit {
  readonly code: number | null;
  readonly signal: string | null;
}

/** A worker in its supervisor, from its start to its exit. */
export interface WorkerProcess extends MetricsSource {
  readonly number: number;
  readonly pid: number | undefined;
  readonly channel: IpcChannel;
  /** True after the worker has reported that it serves, until it exits. */
  ready: boolean;
  /** The config that the worker uses. */
  config: unknown;
  readonly exited: Promise<WorkerExit>;
  kill(signal: NodeJS.Signals): void;
}

/** Starts this program as a worker. Its number is in the environment variable `PORTER_WORKER`. */
export function startWorkerProcess(number: number): WorkerProcess {
  const child = cluster.fork({ PORTER_WORKER: String(number) });
  // Messages to a dead worker fail in the callback, which ignores that: `exit` reports the death.
  const channel = new IpcChannel((message) => void child.send(message, () => {}));
  child.on('message', (message: unknown) => channel.receive(message));
  child.on('error', () => {});
  const exited = new Promise<WorkerExit>((resolve) => {
    child.once('exit', (code: number | null, signal: string | null) => {
      channel.close();
      resolve({ code, signal });
    });
  });
  let lastMetrics: MetricsSnapshot = [];
  return {
    number,
    pid: child.process.pid,
    channel,
    ready: false,
    config: undefined,
    get lastMetrics() {
      return lastMetrics;
    },
    async fetchMetrics() {
      lastMetrics = (await channel.request('snapshot', null, METRICS_TIMEOUT_MS)) as MetricsSnapshot;
    },
    exited,
    kill: (signal) => void child.process.kill(signal),
  };
}
