import { Refusal } from '../base/errors.ts';
import type { MigrationState } from '../ledger/contract/ledger.ts';
import { processHost, releaseClaimsOfDeadProcesses } from './dead-processes.ts';
import type { UploadServices } from './services.ts';
import { toStorageRefusal } from './storage-refusal.ts';

const HEARTBEAT_MS = 10_000;
/** The first sweep comes soon after a start, so that a crash's leftovers don't wait for the next full period. */
const FIRST_SWEEP_MS = 5_000;

export interface SweepSettings {
  /** Milliseconds between sweeps; 0 = none but `porter cleanup`. Read before each wait, so a reload counts. */
  readonly sweepIntervalMs: () => number;
}

export interface Heartbeat {
  stop(): Promise<void>;
}

export interface SweepSchedule {
  /** Ends a sweep that is under way after its batch. */
  stop(): Promise<void>;
}

/**
 * Heartbeats of this process. Before it resolves, claims of processes that died here are void and the first
 * heartbeat is sent. On a full disk both wait for room: files can be fetched meanwhile.
 */
export async function startHeartbeat(deps: UploadServices): Promise<Heartbeat> {
  let buried = false;
  const lookAtStanding = standingWatch(deps);
  const lookAndBeat = async () => {
    await lookAtStanding();
    if (!buried) await releaseClaimsOfDeadProcesses(deps);
    buried = true;
    await beat(deps);
  };
  await lookAndBeat().catch((cause: unknown) => {
    if (!(toStorageRefusal(cause) instanceof Refusal)) throw cause;
    deps.log.error({ err: cause }, 'the ledger is full; only what is there can be fetched');
  });
  return repeat(deps, { first: HEARTBEAT_MS, period: () => HEARTBEAT_MS }, lookAndBeat);
}

/** Sweeps in their rhythm, by one process for all; `sweepNow` does one, or sees to it that somebody does. */
export function startSweepSchedule(
  deps: UploadServices,
  { sweepIntervalMs }: SweepSettings,
  sweepNow: (signal: AbortSignal) => Promise<void>,
): SweepSchedule {
  return repeat(deps, { first: FIRST_SWEEP_MS, period: sweepIntervalMs }, async (signal) => {
    if (sweepIntervalMs() > 0) await sweepNow(signal);
  });
}

const STANDINGS: Readonly<Record<MigrationState, string>> = {
  open: 'the ledger is open again',
  closing: 'the ledger is being moved to another place; no uploads until that is done',
  moved:
    'the ledger has moved to another place: start Porter with the config of the new one; files can be fetched',
  importing: 'the ledger is still being moved to this place; no uploads before porter move --finish',
};

/** Says in the log when a move closes the ledger under us, or opens it. */
function standingWatch({ ledger, log }: Pick<UploadServices, 'ledger' | 'log'>): () => Promise<void> {
  let known: MigrationState = 'open';
  return async () => {
    const standing = await ledger.migrationState();
    if (standing !== known) log[standing === 'open' ? 'info' : 'error']({ standing }, STANDINGS[standing]);
    known = standing;
  };
}

async function beat(deps: UploadServices): Promise<void> {
  await deps.ledger.heartbeat({ id: deps.instance, host: processHost, pid: process.pid, now: deps.clock() });
}

/** How often a task that is switched off is looked at again: a reload may have switched it on. */
const LOOK_AGAIN_MS = 60_000;

interface Rhythm {
  /** Milliseconds. */
  readonly first: number;
  readonly period: () => number;
}

/** Does the task again and again, whatever becomes of it, until it is stopped. */
function repeat(
  { log }: Pick<UploadServices, 'log'>,
  { first, period }: Rhythm,
  task: (signal: AbortSignal) => Promise<void>,
): { stop(): Promise<void> } {
  const stopping = new AbortController();
  const { signal } = stopping;
  const run = async () => {
    for (let wait = first; await slept(wait, signal); wait = period() || LOOK_AGAIN_MS) {
      await task(signal).catch((cause: unknown) =>
        log.error({ err: cause }, 'housekeeping failed; it will be tried again'),
      );
    }
  };
  const running = run();
  return {
    async stop() {
      stopping.abort();
      await running;
    },
  };
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
