import cluster from 'node:cluster';
import { sleep } from '../../base/async.ts';
import { backoffMs } from '../../base/backoff.ts';
import type { Logger } from '../../base/log.ts';
import { WorkerPool } from './worker-pool.ts';
import type { WorkerProcess } from './worker-process.ts';

export interface SupervisorOptions {
  readonly log: Logger;
  readonly workers: number;
  /** Plain data, which each worker gets unchanged. */
  readonly config: unknown;
}

/** A worker that ran at least this long is replaced after the shortest pause. Others are replaced after a growing pause. */
const STABLE_AFTER_MS = 10_000;
const PAUSES = { firstMs: 100, longestMs: 30_000 };
/** Gives up after this number of workers in a row that exited before they served, if no worker serves. */
const MAX_FAILED_STARTS = 5;
/** Time to stop the other workers if one cannot start. They have no work to finish. */
const START_STOP_LIMIT_MS = 5_000;

/**
 * Starts the workers. Returns the supervisor when all of them serve. If one cannot start, stops all of them and returns an exit code;
 * that worker has logged the reason.
 */
export async function startSupervisor(options: SupervisorOptions): Promise<Supervisor | number> {
  // The workers share one socket: no process forwards connections, and no waiting connection is lost if a worker dies
  // (docs/decisions/0014).
  cluster.schedulingPolicy = cluster.SCHED_NONE;
  cluster.setupPrimary({ serialization: 'advanced' });
  const supervisor = new Supervisor(new WorkerPool(options.log, options.config), options.log);
  // The first worker migrates the ledger and binds the addresses. If it fails, the others are not started.
  const numbers = Array.from({ length: options.workers }, (_, i) => i + 1);
  const [first = 1, ...others] = numbers;
  const exitCode = (await supervisor.startWorker(first)) ?? (await startOthers(supervisor, others));
  if (exitCode === undefined) return supervisor;
  await supervisor.stop(START_STOP_LIMIT_MS);
  return exitCode;
}

async function startOthers(supervisor: Supervisor, numbers: readonly number[]): Promise<number | undefined> {
  const exitCodes = await Promise.all(numbers.map((number) => supervisor.startWorker(number)));
  return exitCodes.find((code) => code !== undefined);
}

/**
 * Keeps the workers running. Requests of clients do not pass through it.
 *
 * Each worker number has a loop, `#replaceForever`:
 *
 *     wait for exit ──► handleExit ──► stopping? ──► done
 *           ▲                             │ no
 *           │                   too many failed starts and none serves? ──► gaveUp
 *           │                             │ no
 *        launch ◄── pause (the shortest one after a stable run, else doubled)
 */
export class Supervisor {
  readonly #pool: WorkerPool;
  readonly #log: Logger;
  readonly #stopping = new AbortController();
  readonly #gaveUp = Promise.withResolvers<number>();
  #failedStarts = 0;

  constructor(pool: WorkerPool, log: Logger) {
    this.#pool = pool;
    this.#log = log;
  }

  /** Resolves with an exit code if no worker can be kept running. */
  get gaveUp(): Promise<number> {
    return this.#gaveUp.promise;
  }

  /** Starts one worker and keeps it running. Returns an exit code if it exited before it served. */
  async startWorker(number: number): Promise<number | undefined> {
    const { worker, ready } = this.#pool.launch(number);
    const exit = await Promise.race([ready, worker.exited]);
    if (exit) {
      this.#pool.beginShutdown();
      return exit.code || 1;
    }
    void this.#replaceForever(worker);
    return undefined;
  }

  /** Applies another config to all workers. If it is invalid, rejects, and all workers keep the old one. */
  async reload(config: unknown): Promise<void> {
    await this.#pool.reload(config);
  }

  /** Stops the workers. Kills those that take longer than `limitMs` milliseconds. */
  async stop(limitMs: number): Promise<void> {
    this.#stopping.abort();
    this.#pool.beginShutdown();
    const workers = this.#pool.all();
    if (workers.length === 0) return;
    for (const worker of workers) worker.kill('SIGTERM');
    const timer = setTimeout(() => this.kill(), limitMs);
    await Promise.all(workers.map(({ exited }) => exited));
    clearTimeout(timer);
  }

  /** Kills the workers. */
  kill(): void {
    for (const worker of this.#pool.all()) worker.kill('SIGKILL');
  }

  async #replaceForever(first: WorkerProcess): Promise<void> {
    let worker = first;
    for (let attempt = 0; ; attempt += 1) {
      const startedAt = performance.now();
      const exit = await worker.exited;
      this.#failedStarts = worker.ready ? 0 : this.#failedStarts + 1;
      await this.#pool.handleExit(worker, exit);
      if (this.#stopping.signal.aborted) return;
      if (this.#failedStarts >= MAX_FAILED_STARTS && this.#pool.serving().length === 0) {
        this.#log.fatal({ starts: this.#failedStarts }, 'no worker can start; see the errors above');
        return this.#gaveUp.resolve(exit.code || 1);
      }
      if (performance.now() - startedAt >= STABLE_AFTER_MS) attempt = 0;
      await sleep(backoffMs(attempt, PAUSES), this.#stopping.signal);
      if (this.#stopping.signal.aborted) return;
      worker = this.#pool.launch(worker.number).worker;
    }
  }
}
