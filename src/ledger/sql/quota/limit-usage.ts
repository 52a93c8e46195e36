import type { Limits, LimitUsage, LimitUsageQuery } from '../../contract/quota.ts';
import type { Queryable } from '../database.ts';
import { storedPurposes } from '../expiry.ts';
import { ACCOUNT, type OwnerAccount, readGlobalBytes, readPurposeBytes } from './accounts.ts';
import { forecastRoom } from './forecast.ts';
import { columnOf, forecastRate, spentInPeriod, type UploadRateLimit } from './upload-rates.ts';
import { countEvictable, isEvictable } from './violations.ts';

/** Implements `QuotaStore.limitUsage`. */
export async function queryLimitUsage(q: Queryable, query: LimitUsageQuery): Promise<LimitUsage[]> {
  const account = await findAccount(q, query.owner);
  const { ownerBytes, ownerFiles, purposeBytes, bytesPer, uploadsPer, globalBytes } = query.limits;
  const found: LimitUsage[] = [];
  const add = async (limit: keyof Limits, allowed: number | undefined | null, usage: UsageReader) => {
    if (allowed === undefined || allowed === null) return;
    const { used, evictable = 0 } = await usage.read();
    // There is more room when the usage falls below both numbers. `used` exceeds `allowed` if the limit was lowered.
    const excess = used - Math.min(used, allowed) + 1;
    const freesAt = used === 0 ? null : await usage.forecast(excess, used - excess);
    found.push({ limit, used, allowed, evictable, freesAt: freesAt && Math.max(freesAt, query.now) });
  };
  await add('ownerBytes', ownerBytes, storedUsage(q, account, query, undefined));
  await add('ownerFiles', ownerFiles, filesUsage(q, account, query, ownerFiles ?? 0));
  await add('purposeBytes', purposeBytes, storedUsage(q, account, query, query.purpose));
  await add('bytesPer', bytesPer?.bytes, rateUsage(q, account, query, 'bytesPer'));
  await add('uploadsPer', uploadsPer?.uploads, rateUsage(q, account, query, 'uploadsPer'));
  await add('globalBytes', globalBytes, globalUsage(q, query));
  return found;
}

interface UsageReader {
  read(): Promise<{ readonly used: number; readonly evictable?: number }>;
  /** Returns when `excess` is freed, so that at most `room` is used; null if waiting does not help. */
  forecast(excess: number, room: number): Promise<number | null>;
}

async function findAccount(q: Queryable, owner: string): Promise<OwnerAccount> {
  const [row] = await q.query<OwnerAccount>(`select ${ACCOUNT} from owners where name = $1`, [owner]);
  return row ?? { id: 0, uploads: 0, bytes: 0, pendingUploads: 0, pendingBytes: 0 };
}

/** Reads the bytes of the owner: those of one purpose, or all if `purpose` is undefined. */
function storedUsage(
  q: Queryable,
  account: OwnerAccount,
  query: LimitUsageQuery,
  purpose: string | undefined,
): UsageReader {
  const readPurposes = async () => {
    const all = await readPurposeBytes(q, account);
    return purpose === undefined ? all : all.filter((one) => one.purpose === purpose);
  };
  return {
    async read() {
      const purposes = await readPurposes();
      const evictable = purposes.filter((one) => isEvictable(query, one.purpose));
      return {
        used: purposes.reduce((sum, { bytes, pendingBytes }) => sum + bytes + pendingBytes, 0),
        evictable: evictable.reduce((sum, { bytes }) => sum + bytes, 0),
      };
    },
    async forecast(excess) {
      const purposes = (await readPurposes()).map((one) => one.purpose);
      const scope = { ownerId: account.id, purposes, lifetimes: query.lifetimes };
      const slots = purpose === undefined ? scope : { ...scope, slotPurpose: purpose };
      return forecastRoom(q, slots, excess, 'bytes');
    },
  };
}

function filesUsage(
  q: Queryable,
  account: OwnerAccount,
  query: LimitUsageQuery,
  allowed: number,
): UsageReader {
  const used = account.uploads + account.pendingUploads;
  return {
    read: async () => ({
      used,
      evictable: await countEvictable(q, account, query, Math.max(0, used - allowed + 1)),
    }),
    async forecast(excess) {
      const purposes = (await readPurposeBytes(q, account)).map(({ purpose }) => purpose);
      const scope = { ownerId: account.id, purposes, lifetimes: query.lifetimes };
      return forecastRoom(q, scope, excess, 'files');
    },
  };
}

function rateUsage(
  q: Queryable,
  { id: ownerId }: OwnerAccount,
  { limits, now }: LimitUsageQuery,
  limit: UploadRateLimit,
): UsageReader {
  const period = limits[limit]?.period ?? 0;
  return {
    read: async () => ({ used: (await spentInPeriod(q, { ownerId, period, now }))[columnOf(limit)] }),
    forecast: (_, room) => forecastRate(q, { ownerId, limit, period, room, now }),
  };
}

function globalUsage(q: Queryable, { lifetimes }: LimitUsageQuery): UsageReader {
  return {
    async read() {
      return { used: await readGlobalBytes(q) };
    },
    forecast: async (excess) =>
      forecastRoom(q, { purposes: await storedPurposes(q), lifetimes }, excess, 'bytes'),
  };
}
