import { PgBoss } from 'pg-boss';
import type { Logger } from '../../base/log.ts';
import { openClusterConnection } from './connection.ts';
import { readClusterNames } from './names.ts';

/** Sweeps that are ordered by one process and done by any, one at a time among all that share the ledger. */
export interface SweepJobs {
  /** Nothing happens where one is waiting or under way already. */
  enqueue(): Promise<void>;
  /** Ends one that this process does; the next does what is left. */
  stop(): Promise<void>;
}

const QUEUE = 'sweep';
/** A sweep whose process has died makes room for the next within about so many seconds. */
const HEARTBEAT_S = 30;
const LONGEST_S = 23 * 3600;
const KEPT_S = 24 * 3600;
const LOOK_EVERY_S = 2;
/** It needs one to work and one to show that it lives. */
const CONNECTIONS = 2;
const GOODBYE_MS = 10_000;

/** `sweep` ends early where the signal says so. @throws where pg-boss can neither find nor make its tables. */
export async function startSweepJobs(
  { url, log }: { readonly url: string; readonly log: Logger },
  sweep: (signal: AbortSignal) => Promise<void>,
): Promise<SweepJobs> {
  const boss = new PgBoss({
    connectionString: url,
    schema: await schemaOf(url),
    application_name: 'porter jobs',
    max: CONNECTIONS,
    schedule: false,
    superviseIntervalSeconds: HEARTBEAT_S,
    monitorIntervalSeconds: HEARTBEAT_S,
  });
  boss.on('error', (error) => log.warn({ err: error }, 'the queue of sweeps is disturbed'));
  const stopping = new AbortController();
  await boss.start();
  await boss.createQueue(QUEUE, {
    policy: 'exclusive',
    retryLimit: 0,
    heartbeatSeconds: HEARTBEAT_S,
    expireInSeconds: LONGEST_S,
    retentionSeconds: KEPT_S,
    deleteAfterSeconds: KEPT_S,
  });
  await boss.work(QUEUE, { pollingIntervalSeconds: LOOK_EVERY_S }, async ([job]) => {
    const signals = job ? [stopping.signal, job.signal] : [stopping.signal];
    await sweep(AbortSignal.any(signals));
  });
  return {
    enqueue: async () => void (await boss.send(QUEUE)),
    async stop() {
      stopping.abort();
      await boss.stop({ graceful: true, timeout: GOODBYE_MS });
    },
  };
}

async function schemaOf(url: string): Promise<string> {
  const link = await openClusterConnection(url, () => {});
  try {
    return (await readClusterNames(link)).jobSchema;
  } finally {
    link.close();
  }
}
