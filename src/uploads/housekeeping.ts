import { Refusal } from '../base/errors.ts';
import type { UploadDeps } from './deps.ts';
import { fullOr } from './full.ts';
import { buryDeadProcesses, processPlace } from './processes.ts';
import { type SweepOptions, sweep } from './sweep.ts';

const HEARTBEAT_MS = 10_000;
/** The first sweep comes soon after a start, so that a crash's leftovers don't wait for the next full period. */
const FIRST_SWEEP_MS = 5_000;

export interface HousekeepingOptions {
  /** Milliseconds between sweeps; 0 = none but `porter cleanup`. Read before each wait, so a reload counts. */
  readonly sweepEvery: () => number;
  readonly keepRecords: () => number | null;
}

export interface Housekeeping {
  stop(): Promise<void>;
}

/**
 * Heartbeats of this process and the sweeps of the server. Before it resolves, claims of processes that died here
 * are void and the first heartbeat is sent. On a full disk both wait for room: files can be fetched meanwhile.
 */
export async function startHousekeeping(
  deps: UploadDeps,
  options: HousekeepingOptions,
): Promise<Housekeeping> {
  const stopping = new AbortController();
  let buried = false;
  const lookAndBeat = async () => {
    if (!buried) await buryDeadProcesses(deps);
    buried = true;
    await beat(deps);
  };
  await lookAndBeat().catch((cause: unknown) => {
    if (!(fullOr(cause) instanceof Refusal)) throw cause;
    deps.log.error({ err: cause }, 'the ledger is full; only what is there can be fetched');
  });
  const running = Promise.all([
    every(stopping.signal, () => HEARTBEAT_MS, HEARTBEAT_MS, lookAndBeat, deps),
    every(
      stopping.signal,
      options.sweepEvery,
      FIRST_SWEEP_MS,
      () => runSweep(deps, options, stopping.signal),
      deps,
    ),
  ]);
  return {
    async stop() {
      stopping.abort();
      await running;
    },
  };
}

async function beat(deps: UploadDeps): Promise<void> {
  await deps.ledger.heartbeat({ id: deps.instance, host: processPlace, pid: process.pid, now: deps.clock() });
}

async function runSweep(deps: UploadDeps, options: HousekeepingOptions, signal: AbortSignal): Promise<void> {
  const sweepOptions: SweepOptions = { keepRecords: options.keepRecords(), signal };
  if (options.sweepEvery() > 0) await sweep(deps, sweepOptions);
}

/** How often a task that is switched off is looked at again: a reload may have switched it on. */
const LOOK_AGAIN_MS = 60_000;

async function every(
  signal: AbortSignal,
  period: () => number,
  first: number,
  task: () => Promise<void>,
  deps: Pick<UploadDeps, 'log'>,
): Promise<void> {
  for (let wait = first; await slept(wait, signal); wait = period() || LOOK_AGAIN_MS) {
    await task().catch((cause: unknown) =>
      deps.log.error({ err: cause }, 'housekeeping failed; it will be tried again'),
    );
  }
}

/** False where the signal ended the wait. The timer keeps no process alive. */
function slept(ms: number, signal: AbortSignal): Promise<boolean> {
  if (signal.aborted) return Promise.resolve(false);
  return new Promise((resolve) => {
    const timer = setTimeout(() => {
      signal.removeEventListener('abort', stop);
      resolve(true);
    }, ms);
    const stop = () => {
      clearTimeout(timer);
      resolve(false);
    };
    timer.unref();
    signal.addEventListener('abort', stop, { once: true });
  });
}
