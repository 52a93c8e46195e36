import type { Logger } from '../../base/log.ts';
import { createWorkerMetrics } from '../../metrics/worker-metrics.ts';
import { noLeaderError } from '../relay-handlers.ts';
import { startWorkerProcess, type WorkerExit, type WorkerProcess } from './worker-process.ts';

/** The workers there are, and which of them leads. */
export interface WorkerPool {
  /** Starts one; `ready` resolves once it serves. */
  launch(number: number): { readonly worker: WorkerProcess; readonly ready: Promise<void> };
  all(): readonly WorkerProcess[];
  serving(): readonly WorkerProcess[];
  /** For one that is no more: another leads in its place, and its claims are void at once. */
  handleExit(worker: WorkerProcess, exit: WorkerExit): Promise<void>;
  /** See `Supervisor.reload`. */
  reload(config: unknown): Promise<void>;
  /** From now on nobody is appointed, and what ends is no surprise. */
  beginShutdown(): void;
}

const ORDER_MS = 30_000;

export function createWorkerPool(log: Logger, config: unknown): WorkerPool {
  const workers = new Map<number, WorkerProcess>();
  const all = () => [...workers.values()].sort((one, other) => one.number - other.number);
  const serving = () => all().filter(({ ready }) => ready);
  const counts = createWorkerMetrics(serving);
  let current = config;
  let leader: WorkerProcess | undefined;
  let dismissed = false;

  function appoint(): void {
    const [next] = serving();
    if (leader !== undefined || dismissed || next === undefined) return;
    leader = next;
    log.info({ worker: next.number, workerPid: next.pid }, 'this worker leads');
    void order(next, 'lead', null).then((done) => {
      // One that cannot lead makes room for one that can.
      if (!done) next.kill('SIGKILL');
    });
  }

  /** True where it has done so. One that is gone has not, and needs no words. */
  async function order(worker: WorkerProcess, verb: string, payload: unknown): Promise<boolean> {
    try {
      await worker.channel.request(verb, payload, ORDER_MS);
      return true;
    } catch (error) {
      if (!dismissed && workers.get(worker.number) === worker)
        log.error({ err: error, worker: worker.number, order: verb }, 'a worker could not do as it was told');
      return false;
    }
  }

  /** For one that has just begun to serve. */
  async function welcome(worker: WorkerProcess): Promise<void> {
    appoint();
    if (worker.config === current) return;
    worker.config = current;
    await order(worker, 'reload', current);
  }

  function attend(worker: WorkerProcess): Promise<void> {
    const { channel } = worker;
    channel.handle('config', () => {
      worker.config = current;
      return current;
    });
    channel.handle('metrics', () => counts.render());
    channel.handle('relay', async (question) => {
      if (leader === undefined) throw noLeaderError();
      return await leader.channel.request('relay', question, (question as { timeoutMs: number }).timeoutMs);
    });
    return new Promise((resolve) => {
      channel.handle('ready', () => {
        worker.ready = true;
        log.info({ worker: worker.number, workerPid: worker.pid }, 'a worker serves');
        void welcome(worker);
        resolve();
      });
    });
  }

  return {
    all,
    serving,
    launch(number) {
      const worker = startWorkerProcess(number);
      workers.set(number, worker);
      return { worker, ready: attend(worker) };
    },
    async handleExit(worker, { code, signal }) {
      worker.ready = false;
      workers.delete(worker.number);
      if (leader === worker) leader = undefined;
      await counts.retain(worker);
      if (dismissed) return;
      const about = { worker: worker.number, workerPid: worker.pid, code, signal };
      if (code === 0) log.info(about, 'a worker has ended; another takes its place');
      else log.error(about, 'a worker died; another takes its place');
      appoint();
      const [next] = serving();
      if (next !== undefined) await order(next, 'releaseClaims', null);
    },
    async reload(next) {
      const [first, ...others] = serving();
      if (first === undefined) throw new Error('No worker serves at this moment; try again.');
      // What is no good is refused by the first, and the others never hear of it.
      await first.channel.request('reload', next, ORDER_MS);
      current = next;
      first.config = next;
      for (const worker of others) worker.config = next;
      await Promise.all(others.map((worker) => order(worker, 'reload', next)));
    },
    beginShutdown() {
      dismissed = true;
    },
  };
}
