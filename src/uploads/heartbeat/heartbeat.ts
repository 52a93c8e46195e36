import { withTimeout } from '../../base/async.ts';
import { Refusal } from '../../base/errors.ts';
import { hasSamePids, thisMachine } from '../../base/system-resources.ts';
import type { InstanceState, MigrationState } from '../../ledger/contract/ledger.ts';
import { repeat } from '../housekeeping.ts';
import type { UploadServices } from '../services.ts';
import { toStorageRefusal } from '../storage-refusal.ts';
import { createClockComparison } from './clock-skew.ts';

const HEARTBEAT_MS = 10_000;
/** A database server that does not answer must not delay the end of the process. */
const REMOVE_TIMEOUT_MS = 2_000;

export interface HeartbeatSchedule {
  /** Also removes the process from the ledger. Call it after all work of the process has ended. */
  stop(): Promise<void>;
}

type HeartbeatServices = Pick<
  UploadServices,
  'ledger' | 'log' | 'instance' | 'clock' | 'metrics' | 'transfers'
>;

/**
 * Starts the heartbeats of this process. Before it resolves, it releases the claims of dead processes on this host and
 * sends the first heartbeat. On a full disk it resolves without them and keeps trying: downloads work meanwhile.
 */
export async function startHeartbeat(services: HeartbeatServices): Promise<HeartbeatSchedule> {
  const { ledger, log, instance } = services;
  let released = false;
  const logMigrationState = createMigrationStateLogger(services);
  const compareClocks = createClockComparison(services);
  const beat = async () => {
    await logMigrationState();
    if (!released) await releaseClaimsOfDeadProcesses(services);
    released = true;
    const clockSkewMs = await compareClocks();
    await ledger.heartbeat({ id: instance, pid: process.pid, ...thisMachine, clockSkewMs });
  };
  await beat().catch((error: unknown) => {
    if (!(toStorageRefusal(error) instanceof Refusal)) throw error;
    log.error({ err: error }, 'the ledger cannot be written; only downloads work until there is space');
  });
  const schedule = repeat(services, { firstMs: HEARTBEAT_MS, periodMs: () => HEARTBEAT_MS }, beat);
  return {
    async stop() {
      await schedule.stop();
      await removeThisInstance(services);
    },
  };
}

/**
 * Removes this process from the ledger. Otherwise another machine could open the SQLite file only after the heartbeat of this
 * process has expired.
 */
async function removeThisInstance({ ledger, instance, log, transfers }: HeartbeatServices): Promise<void> {
  const { mayHaveLeftFiles } = transfers.direct;
  const removed = mayHaveLeftFiles ? ledger.removeInstances([instance]) : ledger.endInstance(instance);
  try {
    await withTimeout(removed, REMOVE_TIMEOUT_MS, () => new Error('no answer'));
  } catch (err) {
    log.info({ err }, 'the heartbeat of this process is still in the ledger; it expires by itself');
  }
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

/**
 * Releases the claims of processes on this machine that have died, so that after a crash uploads can be sent again at once.
 * Claims of other processes expire with their heartbeat, also those from before a restart of this machine.
 */
export async function releaseClaimsOfDeadProcesses({
  ledger,
  instance,
  log,
}: Pick<UploadServices, 'ledger' | 'instance' | 'log'>): Promise<void> {
  const dead = (await ledger.listInstances()).filter((other) => other.id !== instance && isDead(other));
  if (dead.length === 0) return;
  await ledger.removeInstances(dead.map(({ id }) => id));
  log.info({ processes: dead.length }, 'released the claims of processes that have ended');
}

/** An entry with the pid of this process belongs to an earlier process: this one has another instance id. */
function isDead(instance: InstanceState): boolean {
  if (!hasSamePids(instance, thisMachine)) return false;
  return instance.pid === process.pid || !isRunning(instance.pid);
}

function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}
