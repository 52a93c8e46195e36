import { PgBoss } from 'pg-boss';
import type { Logger } from '../../base/log.ts';
import { openClusterConnection } from './connection.ts';
import { readClusterNames } from './names.ts';

/** Sweeps that one process schedules and any process of the ledger runs, one sweep at a time. */
export interface SweepJobs {
  /** Adds a sweep. Does nothing if one is pending or running. */
  enqueue(): Promise<void>;
  /** Stops accepting jobs and ends the running sweep. The next sweep continues its work. */
  stop(): Promise<void>;
}

const QUEUE = 'sweep';
/** A sweep whose process has died blocks the next one for about this long. */
const HEARTBEAT_SECONDS = 30;
const MAX_SWEEP_SECONDS = 23 * 3600;
const RETENTION_SECONDS = 24 * 3600;
const POLL_SECONDS = 2;
/** One connection for the job and one for its heartbeat. */
const MAX_CONNECTIONS = 2;
const STOP_TIMEOUT_MS = 10_000;

/** Starts to accept sweep jobs. `sweep` must end when its signal aborts. Rejects if pg-boss can neither find nor create its tables. */
export async function startSweepJobs(
  { url, log }: { readonly url: string; readonly log: Logger },
  sweep: (signal: AbortSignal) => Promise<void>,
): Promise<SweepJobs> {
  const boss = new PgBoss({
    connectionString: url,
    schema: await readJobSchema(url),
    application_name: 'porter jobs',
    max: MAX_CONNECTIONS,
    schedule: false,
    superviseIntervalSeconds: HEARTBEAT_SECONDS,
    monitorIntervalSeconds: HEARTBEAT_SECONDS,
  });
  boss.on('error', (error) => log.warn({ err: error }, 'the job queue for sweeps reports an error'));
  const stopping = new AbortController();
  try {
    await startQueue(boss);
  } catch (error) {
    await boss.stop({ graceful: false }).catch(() => {});
    throw error;
  }
  await boss.work(QUEUE, { pollingIntervalSeconds: POLL_SECONDS }, async ([job]) => {
    const signals = job ? [stopping.signal, job.signal] : [stopping.signal];
    await sweep(AbortSignal.any(signals));
  });
  return {
    enqueue: async () => void (await boss.send(QUEUE)),
    async stop() {
      stopping.abort();
      await boss.stop({ graceful: true, timeout: STOP_TIMEOUT_MS });
    },
  };
}

async function startQueue(boss: PgBoss): Promise<void> {
  await boss.start();
  await boss.createQueue(QUEUE, {
    policy: 'exclusive',
    retryLimit: 0,
    heartbeatSeconds: HEARTBEAT_SECONDS,
    expireInSeconds: MAX_SWEEP_SECONDS,
    retentionSeconds: RETENTION_SECONDS,
    deleteAfterSeconds: RETENTION_SECONDS,
  });
}

async function readJobSchema(url: string): Promise<string> {
  const connection = await openClusterConnection(url, () => {});
  try {
    return (await readClusterNames(connection)).jobSchema;
  } finally {
    connection.close();
  }
}
