import cluster from 'node:cluster';
import { createLine, type Line } from './line.ts';
import type { Snapshot } from './metrics.ts';

export interface Exit {
  readonly code: number | null;
  readonly signal: string | null;
}

/** A worker as its supervisor sees it, from its start to its end. */
export interface WorkerProcess {
  readonly number: number;
  readonly pid: number | undefined;
  readonly line: Line;
  /** Does it serve, as it has said? */
  ready: boolean;
  /** Which config it works with. */
  config: unknown;
  /** What it had counted when it was last asked. */
  counted: Snapshot;
  readonly exited: Promise<Exit>;
  kill(signal: NodeJS.Signals): void;
}

/** Starts this very program once more; it finds out by itself that it is a worker. */
export function startWorkerProcess(number: number): WorkerProcess {
  const child = cluster.fork({ PORTER_WORKER: String(number) });
  // What one that has died is told is lost; its end is heard of in another way.
  const line = createLine((message) => void child.send(message, () => {}));
  child.on('message', (message: unknown) => line.take(message));
  child.on('error', () => {});
  const exited = new Promise<Exit>((resolve) => {
    child.once('exit', (code: number | null, signal: string | null) => {
      line.end();
      resolve({ code, signal });
    });
  });
  return {
    number,
    pid: child.process.pid,
    line,
    ready: false,
    config: undefined,
    counted: [],
    exited,
    kill: (signal) => void child.process.kill(signal),
  };
}
