import { formatPeriod } from '../../base/units.ts';
import type { UploadServices } from '../services.ts';

/** Clocks that differ by less count as equal. */
export const NOTICEABLE_SKEW_MS = 5_000;
/** A measurement is too inaccurate if the answer takes longer. */
const MAX_ROUND_TRIP_MS = 2_000;

/** Returns how many ms the ledger's clock is ahead of this process; null if the ledger takes too long to answer. */
export async function measureClockSkew({
  ledger,
  clock,
}: Pick<UploadServices, 'ledger' | 'clock'>): Promise<number | null> {
  const before = clock();
  const startedAt = performance.now();
  const ledgerTime = await ledger.readClock();
  const roundTripMs = performance.now() - startedAt;
  return roundTripMs > MAX_ROUND_TRIP_MS ? null : Math.round(ledgerTime - before - roundTripMs / 2);
}

/**
 * Returns a function that measures the skew, sets the metric, and logs when the clocks begin to differ, when the difference
 * changes, and when they agree again.
 */
export function createClockComparison(
  services: Pick<UploadServices, 'ledger' | 'clock' | 'log' | 'metrics'>,
): () => Promise<number | null> {
  const { log, metrics } = services;
  let loggedMs = 0;
  let lastMs: number | null = null;
  return async () => {
    const skewMs = await measureClockSkew(services);
    // After a slow answer the last result remains.
    if (skewMs === null) return lastMs;
    lastMs = skewMs;
    metrics.setLedgerClockSkew(skewMs);
    const isNoticeable = Math.abs(skewMs) > NOTICEABLE_SKEW_MS;
    if (isNoticeable && Math.abs(skewMs - loggedMs) > NOTICEABLE_SKEW_MS) {
      log.warn({ seconds: skewMs / 1000 }, describeSkew(skewMs));
      loggedMs = skewMs;
    } else if (!isNoticeable && loggedMs !== 0) {
      log.info('the clock of the database and the clock of this machine agree again');
      loggedMs = 0;
    }
    return skewMs;
  };
}

function describeSkew(skewMs: number): string {
  return (
    `the clock of the database is ${formatSkew(skewMs)} the clock of this machine: slots may expire too early or too late; ` +
    'synchronise both clocks (chrony, systemd-timesyncd)'
  );
}

/** Formats a skew as `60 s ahead of` or `60 s behind`. */
export const formatSkew = (skewMs: number) =>
  `${formatPeriod(Math.abs(skewMs))} ${skewMs > 0 ? 'ahead of' : 'behind'}`;
