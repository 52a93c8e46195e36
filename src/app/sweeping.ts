import type { Leadership } from '../fleet/contract.ts';
import type { SweepJobs } from '../fleet/sweep-jobs.ts';
import { sweep } from '../uploads/sweep.ts';
import type { House } from './house.ts';

/** Who does the sweeps that the leading process asks for. */
export interface Sweeping {
  now(signal: AbortSignal): Promise<void>;
  /** Takes part in the sweeps for as long as this process stands for the lead. */
  beside(leadership: Leadership): Leadership;
}

/** With PostgreSQL any instance, one at a time; with SQLite the leading process itself. */
export function sweepingOf({ config, deps, current }: House): Sweeping {
  const here = async (signal: AbortSignal) => {
    await sweep(deps, { keepRecords: current().config.retention.keep_records, signal });
  };
  const { ledger } = config.storage;
  if (ledger.kind !== 'postgres') return { now: here, beside: (leadership) => leadership };
  let jobs: SweepJobs | undefined;
  const join = async () => {
    const { startSweepJobs } = await import('../fleet/sweep-jobs.ts');
    jobs = await startSweepJobs({ url: ledger.url, log: deps.log }, here);
  };
  return {
    now: async () => await jobs?.order(),
    beside: ({ stand, resign }) => ({
      stand: async (duties) => void (await Promise.all([join(), stand(duties)])),
      async resign() {
        await resign();
        await jobs?.stop();
      },
    }),
  };
}
