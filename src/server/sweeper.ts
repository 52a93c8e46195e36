import { sleep } from '../base/async.ts';
import type { Leadership } from '../cluster/leadership.ts';
import type { SweepJobs } from '../cluster/postgres/sweep-jobs.ts';
import { runSweep } from '../uploads/sweep.ts';
import type { Runtime } from './runtime.ts';

const RETRY_MS = 5_000;

/** Runs the sweeps that the leading process schedules. */
export interface Sweeper {
  run(signal: AbortSignal): Promise<void>;
  /** Returns a leadership that also accepts sweep jobs between its start and its stop. */
  withSweepJobs(leadership: Leadership): Leadership;
}

/**
 * Creates the sweeper. With PostgreSQL, a sweep becomes a job, and any instance may run it, one sweep at a time. With SQLite, the
 * leading process runs it.
 */
export function createSweeper({ config, services, settings }: Runtime): Sweeper {
  const sweepHere = async (signal: AbortSignal) => {
    await runSweep(services, { keepRecords: settings().config.retention.keep_records, signal });
  };
  const { ledger } = config.storage;
  if (ledger.kind !== 'postgres') return { run: sweepHere, withSweepJobs: (leadership) => leadership };
  let jobs: SweepJobs | undefined;
  const stopping = new AbortController();
  const { signal } = stopping;
  /** Starts the job queue. Retries until the database can be reached, because the leader can work without the queue. */
  const startJobs = async () => {
    // pg-boss is loaded only if the ledger is in PostgreSQL.
    const { startSweepJobs } = await import('../cluster/postgres/sweep-jobs.ts');
    for (let failures = 0; jobs === undefined && !signal.aborted; failures += 1) {
      try {
        jobs = await startSweepJobs({ url: ledger.url, log: services.log }, sweepHere);
      } catch (err) {
        if (failures === 0) services.log.warn({ err }, 'cannot start the job queue for sweeps; trying again');
        await sleep(RETRY_MS, signal);
      }
    }
  };
  let starting: Promise<void> | undefined;
  return {
    run: async () => await jobs?.enqueue(),
    withSweepJobs: (leadership) => ({
      async start(tasks) {
        starting ??= startJobs();
        await leadership.start(tasks);
      },
      async stop() {
        stopping.abort();
        await leadership.stop();
        await starting;
        await jobs?.stop();
      },
    }),
  };
}
