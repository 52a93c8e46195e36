import type { UploadServices } from '../services.ts';

const DAY_MS = 86_400_000;
/** The growth is measured over this time. */
const WINDOW_DAYS = 7;
/** Samples that cover less time are not enough to measure the growth per day. */
const MIN_WINDOW_MS = DAY_MS;
/** A disk or quota that would be full later than this counts as never full. */
const MAX_FORECAST_DAYS = 3650;

/** How fast the stored bytes of all owners grow. */
export interface Growth {
  /** Negative if they shrink. */
  readonly bytesPerDay: number;
  /** When the disk or the quota of the service is full at this rate, ms since 1970; null if later than `MAX_FORECAST_DAYS`. */
  readonly fullAt: number | null;
}

/** Measures the growth over the last week. Returns null if the samples cover less than a day. */
export async function forecastGrowth({
  ledger,
  blobs,
  rules,
  clock,
}: Pick<UploadServices, 'ledger' | 'blobs' | 'rules' | 'clock'>): Promise<Growth | null> {
  const now = clock();
  const [stats, space, samples] = await Promise.all([
    ledger.stats(),
    blobs.space(),
    ledger.listUsageHistory({ since: now - WINDOW_DAYS * DAY_MS }),
  ]);
  const [first] = samples;
  if (first === undefined || now - first.at < MIN_WINDOW_MS) return null;
  const bytesPerDay = ((stats.bytes - first.bytes) * DAY_MS) / (now - first.at);
  const { globalQuota } = rules();
  const rooms = [space?.free, globalQuota === null ? undefined : globalQuota - stats.bytes];
  const room = Math.min(...rooms.filter((bytes) => bytes !== undefined));
  const days = bytesPerDay > 0 ? Math.max(0, room) / bytesPerDay : Number.POSITIVE_INFINITY;
  return { bytesPerDay, fullAt: days <= MAX_FORECAST_DAYS ? Math.round(now + days * DAY_MS) : null };
}
