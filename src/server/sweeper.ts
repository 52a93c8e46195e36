import type { Leadership } from '../cluster/leadership.ts';
import type { SweepJobs } from '../cluster/postgres/sweep-jobs.ts';
import { runSweep } from '../uploads/sweep.ts';
import type { Runtime } from './runtime.ts';

/** Who does the sweeps that the leading process asks for. */
export interface Sweeper {
  run(signal: AbortSignal): Promise<void>;
  /** Takes part in the sweeps for as long as this process stands for the lead. */
  withSweepJobs(leadership: Leadership): Leadership;
}

/** With PostgreSQL any instance, one at a time; with SQLite the leading process itself. */
export function createSweeper({ config, services, settings }: Runtime): Sweeper {
  const here = async (signal: AbortSignal) => {
    await runSweep(services, { keepRecords: settings().config.retention.keep_records, signal });
  };
  const { ledger } = config.storage;
  if (ledger.kind !== 'postgres') return { run: here, withSweepJobs: (leadership) => leadership };
  let jobs: SweepJobs | undefined;
  const join = async () => {
    const { startSweepJobs } = await import('../cluster/postgres/sweep-jobs.ts');
    jobs = await startSweepJobs({ url: ledger.url, log: services.log }, here);
  };
  return {
    run: async () => await jobs?.enqueue(),
    withSweepJobs: ({ start, stop: resign }) => ({
      start: async (duties) => void (await Promise.all([join(), start(duties)])),
      async stop() {
        await resign();
        await jobs?.stop();
      },
    }),
  };
}
