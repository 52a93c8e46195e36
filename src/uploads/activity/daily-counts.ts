import type { RequestTotals } from '../../metrics/metrics.ts';
import { repeat } from '../housekeeping.ts';
import type { UploadServices } from '../services.ts';

const DAY_MS = 86_400_000;
const WRITE_MS = 30_000;

export type DailyCountServices = Pick<UploadServices, 'ledger' | 'metrics' | 'clock' | 'log'>;

/**
 * Adds the requests of this process to the counts of the day, twice a minute and at the end. Reads the counters of the metrics, so
 * that it costs no work in a request. Every process does this, and the ledger adds the counts together.
 */
export function startDailyCounts(services: DailyCountServices): { stop(): Promise<void> } {
  const writer = createDailyCountWriter(services);
  const schedule = repeat(services, { firstMs: WRITE_MS, periodMs: () => WRITE_MS }, writer);
  return {
    async stop() {
      await schedule.stop();
      await writer().catch((error: unknown) =>
        services.log.debug({ reason: String(error) }, 'could not write the counts of the last requests'),
      );
    },
  };
}

/** Returns a function that adds the requests since its last successful call to the counts of the current day (UTC). */
export function createDailyCountWriter({ ledger, metrics, clock }: Omit<DailyCountServices, 'log'>) {
  let written: RequestTotals = { uploads: 0, downloads: 0, refusals: 0 };
  return async (): Promise<void> => {
    const totals = await metrics.requestTotals();
    const counts = {
      uploads: totals.uploads - written.uploads,
      downloads: totals.downloads - written.downloads,
      refusals: totals.refusals - written.refusals,
    };
    if (counts.uploads + counts.downloads + counts.refusals === 0) return;
    const now = clock();
    await ledger.addDailyCounts({ day: now - (now % DAY_MS), ...counts });
    written = totals;
  };
}
