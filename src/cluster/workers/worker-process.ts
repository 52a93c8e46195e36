import cluster from 'node:cluster';
import type { MetricsSnapshot } from '../../metrics/aggregate.ts';
import { createIpcChannel, type IpcChannel } from './ipc-channel.ts';

export interface WorkerExit {
  readonly code: number | null;
  readonly signal: string | null;
}

/** A worker as its supervisor sees it, from its start to its end. */
export interface WorkerProcess {
  readonly number: number;
  readonly pid: number | undefined;
  readonly channel: IpcChannel;
  /** Does it serve, as it has said? */
  ready: boolean;
  /** Which config it works with. */
  config: unknown;
  /** What it had counted when it was last asked. */
  lastMetrics: MetricsSnapshot;
  readonly exited: Promise<WorkerExit>;
  kill(signal: NodeJS.Signals): void;
}

/** Starts this very program once more; it finds out by itself that it is a worker. */
export function startWorkerProcess(number: number): WorkerProcess {
  const child = cluster.fork({ PORTER_WORKER: String(number) });
  // What one that has died is told is lost; its end is heard of in another way.
  const channel = createIpcChannel((message) => void child.send(message, () => {}));
  child.on('message', (message: unknown) => channel.receive(message));
  child.on('error', () => {});
  const exited = new Promise<WorkerExit>((resolve) => {
    child.once('exit', (code: number | null, signal: string | null) => {
      channel.close();
      resolve({ code, signal });
    });
  });
  return {
    number,
    pid: child.process.pid,
    channel,
    ready: false,
    config: undefined,
    lastMetrics: [],
    exited,
    kill: (signal) => void child.process.kill(signal),
  };
}
