import type { Leadership } from '../cluster/leadership.ts';
import type { SweepJobs } from '../cluster/postgres/sweep-jobs.ts';
import { runSweep } from '../uploads/sweep.ts';
import type { Runtime } from './runtime.ts';

/** Runs the sweeps that the leading process schedules. */
export interface Sweeper {
  run(signal: AbortSignal): Promise<void>;
  /** Returns a leadership that also accepts sweep jobs between its start and its stop. */
  withSweepJobs(leadership: Leadership): Leadership;
}

/**
 * With PostgreSQL a sweep becomes a job that any instance may run, one at a time. With SQLite the leading process runs
 * it itself.
 */
export function createSweeper({ config, services, settings }: Runtime): Sweeper {
  const sweepHere = async (signal: AbortSignal) => {
    await runSweep(services, { keepRecords: settings().config.retention.keep_records, signal });
  };
  const { ledger } = config.storage;
  if (ledger.kind !== 'postgres') return { run: sweepHere, withSweepJobs: (leadership) => leadership };
  let jobs: SweepJobs | undefined;
  const startJobs = async () => {
    // pg-boss is loaded only if the ledger is in PostgreSQL.
    const { startSweepJobs } = await import('../cluster/postgres/sweep-jobs.ts');
    jobs = await startSweepJobs({ url: ledger.url, log: services.log }, sweepHere);
  };
  return {
    run: async () => await jobs?.enqueue(),
    withSweepJobs: (leadership) => ({
      start: async (tasks) => void (await Promise.all([startJobs(), leadership.start(tasks)])),
      async stop() {
        await leadership.stop();
        await jobs?.stop();
      },
    }),
  };
}
