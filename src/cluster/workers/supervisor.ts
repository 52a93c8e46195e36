import cluster from 'node:cluster';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Logger } from '../../base/log.ts';
import { createWorkerPool, type WorkerPool } from './worker-pool.ts';
import type { WorkerProcess } from './worker-process.ts';

export interface SupervisorOptions {
  readonly log: Logger;
  readonly workers: number;
  /** Handed to every worker as it is: plain data. */
  readonly config: unknown;
}

/** Keeps a number of workers running, and is itself in the way of no request. */
export interface Supervisor {
  /** Hands another config to all; rejects, with the old one kept by all, where the workers find it no good. */
  reload(config: unknown): Promise<void>;
  /** Lets the workers end their work; those that take longer than so many milliseconds are killed. */
  stop(limitMs: number): Promise<void>;
  /** Kills them. */
  kill(): void;
  /** Resolves, with an exit code, where no worker can be kept running. */
  readonly gaveUp: Promise<number>;
}

/** A worker that lived for so long was a good one: another takes its place at once. */
const STEADY_MS = 10_000;
const FIRST_PAUSE_MS = 100;
const LONGEST_PAUSE_MS = 30_000;
/** So many workers in a row that never came to serve, with none left that does: it is given up. */
const MAX_FAILED_STARTS = 5;
/** Those that have not begun to serve have nothing to end. */
const START_LIMIT_MS = 5_000;

/** Resolves once all workers serve; with an exit code, and none left, where one could not start. It has said why. */
export async function startSupervisor(options: SupervisorOptions): Promise<Supervisor | number> {
  // All take from one socket: no hop on the way, and who dies takes no waiting connection along (decision 0014).
  cluster.schedulingPolicy = cluster.SCHED_NONE;
  cluster.setupPrimary({ serialization: 'advanced' });
  const crew = createWorkerPool(options.log, options.config);
  const keeper = keep(crew, options.log);
  // The first finds out whether it can be done at all: it brings the ledger up to date and takes the addresses.
  const numbers = Array.from({ length: options.workers }, (_, i) => i + 1);
  const failed = (await keeper.start(1)) ?? (await firstOf(numbers.slice(1).map(keeper.start)));
  if (failed === undefined) return keeper.supervisor;
  await keeper.supervisor.stop(START_LIMIT_MS);
  return failed;
}

async function firstOf(exits: readonly Promise<number | undefined>[]): Promise<number | undefined> {
  return (await Promise.all(exits)).find((code) => code !== undefined);
}

function keep(crew: WorkerPool, log: Logger) {
  const gaveUp = Promise.withResolvers<number>();
  const stopping = new AbortController();
  let failedStarts = 0;

  /** Undefined once the worker serves; an exit code where it ended before. */
  async function start(number: number): Promise<number | undefined> {
    const { worker, ready } = crew.launch(number);
    const exit = await Promise.race([ready, worker.exited]);
    if (exit) {
      crew.beginShutdown();
      return exit.code || 1;
    }
    void keepPlace(worker);
    return undefined;
  }

  /** Puts one worker after the other in this one's place. */
  async function keepPlace(first: WorkerProcess): Promise<void> {
    let worker = first;
    for (let attempt = 0; ; attempt += 1) {
      const startedAt = performance.now();
      const exit = await worker.exited;
      failedStarts = worker.ready ? 0 : failedStarts + 1;
      await crew.handleExit(worker, exit);
      if (stopping.signal.aborted) return;
      if (failedStarts >= MAX_FAILED_STARTS && crew.serving().length === 0) {
        log.fatal({ starts: failedStarts }, 'no worker can start any more; the reasons are above');
        return gaveUp.resolve(exit.code || 1);
      }
      if (performance.now() - startedAt >= STEADY_MS) attempt = 0;
      if (!(await paused(attempt))) return;
      worker = crew.launch(worker.number).worker;
    }
  }

  async function paused(attempt: number): Promise<boolean> {
    const ms = Math.min(FIRST_PAUSE_MS * 2 ** attempt, LONGEST_PAUSE_MS);
    await sleep(ms, undefined, { signal: stopping.signal }).catch(() => {});
    return !stopping.signal.aborted;
  }

  const kill = () => {
    for (const worker of crew.all()) worker.kill('SIGKILL');
  };
  const supervisor: Supervisor = {
    gaveUp: gaveUp.promise,
    kill,
    reload: (config) => crew.reload(config),
    async stop(limitMs) {
      stopping.abort();
      crew.beginShutdown();
      const workers = crew.all();
      if (workers.length === 0) return;
      for (const worker of workers) worker.kill('SIGTERM');
      const late = setTimeout(kill, limitMs);
      await Promise.all(workers.map(({ exited }) => exited));
      clearTimeout(late);
    },
  };
  return { start, supervisor };
}
