import { sleep } from '../../base/async.ts';
import { backoffMs } from '../../base/backoff.ts';
import type { Logger } from '../../base/log.ts';
import { createWorkerMetrics, type WorkerMetrics } from '../../metrics/worker-metrics.ts';
import { noLeaderError } from '../relay.ts';
import { startWorkerProcess, type WorkerExit, type WorkerProcess } from './worker-process.ts';

const REQUEST_TIMEOUT_MS = 30_000;
/** The pauses before a failed request is repeated. They double from the first up to the longest. */
const FIRST_RETRY_MS = 1_000;
const LONGEST_RETRY_MS = 30_000;

/** Options for tests. */
export interface WorkerPoolOptions {
  readonly startProcess?: (number: number) => WorkerProcess;
  readonly firstRetryMs?: number;
}

/**
 * The workers of a supervisor, and which of them leads.
 *
 * A worker:
 *
 *     launch() ──► starting ──"ready"──► serving ──"lead"──► leading
 *                     │                     │                   │
 *                     └────────── exit: handleExit() ───────────┘
 *
 * At most one worker leads. If none leads, the serving worker with the lowest number is appointed. A failed request does not kill the
 * worker, which may still serve files. The request is repeated until it succeeds or the worker exits.
 */
export class WorkerPool {
  readonly #log: Logger;
  readonly #workers = new Map<number, WorkerProcess>();
  readonly #metrics: WorkerMetrics = createWorkerMetrics(() => this.serving());
  #config: unknown;
  #leader: WorkerProcess | undefined;
  #isShuttingDown = false;

  readonly #startProcess: (number: number) => WorkerProcess;
  readonly #firstRetryMs: number;

  constructor(
    log: Logger,
    config: unknown,
    { startProcess = startWorkerProcess, firstRetryMs = FIRST_RETRY_MS }: WorkerPoolOptions = {},
  ) {
    this.#startProcess = startProcess;
    this.#firstRetryMs = firstRetryMs;
    this.#log = log;
    this.#config = config;
  }

  all(): readonly WorkerProcess[] {
    return [...this.#workers.values()].sort((one, other) => one.number - other.number);
  }

  serving(): readonly WorkerProcess[] {
    return this.all().filter(({ ready }) => ready);
  }

  /** Starts a worker. `ready` resolves when it serves. */
  launch(number: number): { readonly worker: WorkerProcess; readonly ready: Promise<void> } {
    const worker = this.#startProcess(number);
    this.#workers.set(number, worker);
    return { worker, ready: this.#handleRequests(worker) };
  }

  /** Removes a worker that has exited: appoints another leader and releases its claims at once. */
  async handleExit(worker: WorkerProcess, { code, signal }: WorkerExit): Promise<void> {
    worker.ready = false;
    this.#workers.delete(worker.number);
    if (this.#leader === worker) this.#leader = undefined;
    await this.#metrics.retain(worker);
    if (this.#isShuttingDown) return;
    const details = { worker: worker.number, workerPid: worker.pid, code, signal };
    if (code === 0) this.#log.info(details, 'worker exited; starting another');
    else this.#log.error(details, 'worker died; starting another');
    this.#appointLeader();
    const [survivor] = this.serving();
    if (survivor !== undefined) await this.#tryRequest(survivor, 'releaseClaims', null);
  }

  /** See `Supervisor.reload`. */
  async reload(config: unknown): Promise<void> {
    const [first, ...others] = this.serving();
    if (first === undefined) throw new Error('No worker serves at the moment. Try again.');
    // The first worker checks the config. If it rejects, the others keep the old one.
    await first.channel.request('reload', config, REQUEST_TIMEOUT_MS);
    this.#config = config;
    first.config = config;
    await Promise.all(others.map((worker) => this.#sendConfig(worker)));
  }

  /** Stops appointing leaders and reporting exits. */
  beginShutdown(): void {
    this.#isShuttingDown = true;
  }

  #appointLeader(): void {
    const [next] = this.serving();
    if (this.#leader !== undefined || this.#isShuttingDown || next === undefined) return;
    this.#leader = next;
    this.#log.info({ worker: next.number, workerPid: next.pid }, 'this worker leads');
    void this.#repeat(next, () => this.#tryRequest(next, 'lead', null));
  }

  /**
   * Sends a worker the latest config. Resolves after the first attempt. If it fails, logs the worker and repeats the attempt in
   * the background until the worker has the config.
   */
  async #sendConfig(worker: WorkerProcess): Promise<void> {
    const attempt = async () => {
      const config = this.#config;
      if (worker.config === config) return true;
      if (!(await this.#tryRequest(worker, 'reload', config))) {
        this.#log.warn({ worker: worker.number }, 'this worker still uses its old config; trying again');
        return false;
      }
      worker.config = config;
      return this.#config === config;
    };
    if (!(await attempt())) void this.#repeat(worker, attempt, this.#firstRetryMs);
  }

  /** Repeats an attempt until it succeeds or the worker exits. */
  async #repeat(worker: WorkerProcess, attempt: () => Promise<boolean>, firstPauseMs = 0): Promise<void> {
    const isCurrent = () => !this.#isShuttingDown && this.#workers.get(worker.number) === worker;
    await sleep(firstPauseMs);
    const pauses = { firstMs: this.#firstRetryMs, longestMs: LONGEST_RETRY_MS };
    for (let failures = 0; isCurrent() && !(await attempt()); failures += 1)
      await sleep(backoffMs(failures, pauses));
  }

  /** Returns whether the worker has handled the request. Logs a failure, unless the worker has exited meanwhile. */
  async #tryRequest(worker: WorkerProcess, verb: string, payload: unknown): Promise<boolean> {
    try {
      await worker.channel.request(verb, payload, REQUEST_TIMEOUT_MS);
      return true;
    } catch (error) {
      if (!this.#isShuttingDown && this.#workers.get(worker.number) === worker) {
        this.#log.error({ err: error, worker: worker.number, request: verb }, 'a request to a worker failed');
      }
      return false;
    }
  }

  /** Handles the requests of a worker. Resolves when the worker reports that it serves. */
  #handleRequests(worker: WorkerProcess): Promise<void> {
    const { channel } = worker;
    channel.handle('config', () => {
      worker.config = this.#config;
      return this.#config;
    });
    channel.handle('metrics', () => this.#metrics.render());
    channel.handle('relay', async (request) => {
      if (this.#leader === undefined) throw noLeaderError();
      const { timeoutMs } = request as { readonly timeoutMs: number };
      return await this.#leader.channel.request('relay', request, timeoutMs);
    });
    return new Promise((resolve) => {
      channel.handle('ready', () => {
        worker.ready = true;
        this.#log.info({ worker: worker.number, workerPid: worker.pid }, 'worker serves');
        void this.#handleReady(worker);
        resolve();
      });
    });
  }

  /** Appoints a leader if there is none, and sends the worker the latest config, because a reload may have happened during its start. */
  async #handleReady(worker: WorkerProcess): Promise<void> {
    this.#appointLeader();
    await this.#sendConfig(worker);
  }
}
