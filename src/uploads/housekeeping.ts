import { setTimeout as sleep } from 'node:timers/promises';
import { deletePendingBlobs } from './blobs/delete-pending.ts';
import type { UploadServices } from './services.ts';

/** The first sweep comes soon after a start, so that leftovers of a crash do not wait for a whole period. */
const FIRST_SWEEP_MS = 5_000;
/** Milliseconds between two checks for due deletions. The first retry of a deletion is due after the same time. */
const DELETIONS_MS = 60_000;
/** While a task is switched off, its period is read again after this time, because a reload may switch it on. */
const RECHECK_MS = 60_000;

export interface SweepSettings {
  /** Milliseconds between sweeps; 0 = only `porter cleanup` sweeps. Read before each wait, so a reload takes effect. */
  readonly sweepIntervalMs: () => number;
}

export interface SweepSchedule {
  /** Ends a running sweep after its current batch. */
  stop(): Promise<void>;
}

/** Runs `sweepNow` at the configured interval. Only one process of a cluster does this. */
export function startSweepSchedule(
  services: Pick<UploadServices, 'log'>,
  { sweepIntervalMs }: SweepSettings,
  sweepNow: (signal: AbortSignal) => Promise<void>,
): SweepSchedule {
  return repeat(services, { firstMs: FIRST_SWEEP_MS, periodMs: sweepIntervalMs }, async (signal) => {
    if (sweepIntervalMs() > 0) await sweepNow(signal);
  });
}

/**
 * Deletes the blobs of removed uploads that a killed process or a failure has left behind. Only one process of a cluster does
 * this. It also runs while sweeps are switched off.
 */
export function startDeletionSchedule(services: UploadServices): { stop(): Promise<void> } {
  return repeat(services, { firstMs: FIRST_SWEEP_MS, periodMs: () => DELETIONS_MS }, async () => {
    await deletePendingBlobs(services);
  });
}

/** Removes the spool files of form uploads that ended processes have left behind. `startedAt`: the start of this process. */
export async function removeLeftSpoolFiles(
  { blobs, log }: Pick<UploadServices, 'blobs' | 'log'>,
  startedAt: number,
): Promise<void> {
  try {
    const files = await blobs.removeSpoolFiles?.(startedAt);
    if (files)
      log.info({ files }, 'removed temporary files of form uploads that an ended process has left behind');
  } catch (err) {
    log.warn(
      { err },
      'temporary files of form uploads that an ended process has left behind cannot be removed; the next sweep tries again',
    );
  }
}

const HISTORY_MS = 600_000;

/** Records the stored files and bytes once an hour. Only one process of a cluster does this. */
export function startUsageHistory(services: Pick<UploadServices, 'ledger' | 'clock' | 'log'>): {
  stop(): Promise<void>;
} {
  return repeat(services, { firstMs: FIRST_SWEEP_MS, periodMs: () => HISTORY_MS }, () =>
    services.ledger.recordUsage({ now: services.clock() }),
  );
}

/** Reserves disk space for removals at the start, and again after it was used. */
export function startBallastSchedule(
  services: Pick<UploadServices, 'log'>,
  fillBallast: () => Promise<void>,
): { stop(): Promise<void> } {
  return repeat(services, { firstMs: 0, periodMs: () => RECHECK_MS }, fillBallast);
}

interface Schedule {
  readonly firstMs: number;
  readonly periodMs: () => number;
}

/** Runs the task periodically until it is stopped. A failure is logged and does not end the schedule. */
export function repeat(
  { log }: Pick<UploadServices, 'log'>,
  { firstMs, periodMs }: Schedule,
  task: (signal: AbortSignal) => Promise<void>,
): { stop(): Promise<void> } {
  const stopping = new AbortController();
  const { signal } = stopping;
  const run = async () => {
    for (let waitMs = firstMs; await waited(waitMs, signal); waitMs = periodMs() || RECHECK_MS) {
      await task(signal).catch((error: unknown) =>
        log.error({ err: error }, 'a periodic task failed; it will be tried again'),
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

/** Returns false if the signal ended the wait. The timer does not keep the process alive. */
function waited(ms: number, signal: AbortSignal): Promise<boolean> {
  return sleep(ms, true, { signal, ref: false }).catch(() => false);
}
