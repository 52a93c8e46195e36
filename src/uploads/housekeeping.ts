import { readlinkSync } from 'node:fs';
import { hostname } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';
import { Refusal } from '../base/errors.ts';
import type { MigrationState } from '../ledger/contract/ledger.ts';
import { deletePendingBlobs } from './blobs/delete-pending.ts';
import type { UploadServices } from './services.ts';
import { toStorageRefusal } from './storage-refusal.ts';

const HEARTBEAT_MS = 10_000;
/** The first sweep comes soon after a start, so that leftovers of a crash do not wait for a whole period. */
const FIRST_SWEEP_MS = 5_000;
/** Milliseconds between two looks for deletions that are due: the first retry comes after this time. */
const DELETIONS_MS = 60_000;
/** While a task is switched off, its period is read again after this time, because a reload may switch it on. */
const RECHECK_MS = 60_000;

export interface SweepSettings {
  /** Milliseconds between sweeps; 0 = only `porter cleanup` sweeps. Read before each wait, so a reload takes effect. */
  readonly sweepIntervalMs: () => number;
}

export interface Heartbeat {
  stop(): Promise<void>;
}

export interface SweepSchedule {
  /** Ends a running sweep after its current batch. */
  stop(): Promise<void>;
}

type HeartbeatServices = Pick<UploadServices, 'ledger' | 'log' | 'instance' | 'clock'>;

/**
 * Starts the heartbeats of this process. Before it resolves, it releases the claims of dead processes on this host and
 * sends the first heartbeat. On a full disk it resolves without them and keeps trying: downloads work meanwhile.
 */
export async function startHeartbeat(services: HeartbeatServices): Promise<Heartbeat> {
  let released = false;
  const logMigrationState = createMigrationStateLogger(services);
  const beat = async () => {
    await logMigrationState();
    if (!released) await releaseClaimsOfDeadProcesses(services);
    released = true;
    await sendHeartbeat(services);
  };
  await beat().catch((error: unknown) => {
    if (!(toStorageRefusal(error) instanceof Refusal)) throw error;
    services.log.error(
      { err: error },
      'the ledger cannot be written; only downloads work until there is space',
    );
  });
  return repeat(services, { firstMs: HEARTBEAT_MS, periodMs: () => HEARTBEAT_MS }, beat);
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

/** Sets space for removals aside at the start, and again after it was used. */
export function startBallastSchedule(
  services: Pick<UploadServices, 'log'>,
  fillBallast: () => Promise<void>,
): { stop(): Promise<void> } {
  return repeat(services, { firstMs: 0, periodMs: () => RECHECK_MS }, fillBallast);
}

const MIGRATION_MESSAGES: Readonly<Record<MigrationState, string>> = {
  open: 'the ledger is open again; uploads work',
  closing: 'porter move is moving the ledger away; uploads are refused until it has finished',
  moved: 'the ledger has moved: start Porter with the config of the new storage; only downloads work here',
  importing: 'porter move is still filling this ledger: uploads are refused until porter move --finish',
};

/** Logs when `porter move` closes or opens the ledger of this process. */
function createMigrationStateLogger({
  ledger,
  log,
}: Pick<UploadServices, 'ledger' | 'log'>): () => Promise<void> {
  let last: MigrationState = 'open';
  return async () => {
    const migrationState = await ledger.migrationState();
    if (migrationState !== last)
      log[migrationState === 'open' ? 'info' : 'error'](
        { migrationState },
        MIGRATION_MESSAGES[migrationState],
      );
    last = migrationState;
  };
}

/** Where a pid identifies a process: the host and, on Linux, the pid namespace, because containers may share a host name. */
const pidScope = [hostname(), readPidNamespace()].join(' ').trim();

function readPidNamespace(): string {
  try {
    return readlinkSync('/proc/self/ns/pid');
  } catch {
    return '';
  }
}

async function sendHeartbeat({ ledger, instance, clock }: HeartbeatServices): Promise<void> {
  await ledger.heartbeat({ id: instance, host: pidScope, pid: process.pid, now: clock() });
}

/**
 * Releases the claims of processes on this host that have died, so that after a crash uploads can be sent again at once.
 * Claims of processes on other hosts expire with their heartbeat.
 */
export async function releaseClaimsOfDeadProcesses({
  ledger,
  instance,
  log,
}: Pick<UploadServices, 'ledger' | 'instance' | 'log'>): Promise<void> {
  const processes = await ledger.listInstances(pidScope);
  const dead = processes.filter(({ id, pid }) => id !== instance && !isAlive(pid));
  if (dead.length === 0) return;
  await ledger.removeInstances(dead.map(({ id }) => id));
  log.info({ processes: dead.length }, 'released the claims of processes that have ended');
}

/** An entry with the pid of this process belongs to an earlier process: this one has another instance id. */
function isAlive(pid: number): boolean {
  if (pid === process.pid) return false;
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}

interface Schedule {
  readonly firstMs: number;
  readonly periodMs: () => number;
}

/** Runs the task periodically until it is stopped. A failure is logged and does not end the schedule. */
function repeat(
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
