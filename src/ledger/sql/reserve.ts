import type { Upload } from '../../base/upload-records.ts';
import type { Reservation, ReserveResult } from '../contract/ledger.ts';
import { deleteIfExpired } from './claims.ts';
import type { Queryable } from './database.ts';
import { removeExpired, storedPurposes } from './expiry.ts';
import {
  adjustOwner,
  adjustPurposeAndTotals,
  chargePending,
  deleteOwner,
  type OwnerAccount,
  readAccount,
  readPurposeBytes,
} from './quota/accounts.ts';
import { evictUploads, planEviction } from './quota/evict.ts';
import { bucketWidthsFor, chargeUploadRates } from './quota/upload-rates.ts';
import {
  excessAmount,
  findViolations,
  forecastViolationEnd,
  type QuotaViolation,
} from './quota/violations.ts';
import type { RemovalRow } from './rows.ts';
import {
  SELECT_REMOVALS,
  SELECT_UPLOADS,
  toRemoval,
  toUpload,
  type UploadRowWithOwner,
  WHERE_LOCATOR,
} from './rows.ts';

/** Ended rows that one reservation in need of room takes with it. */
const RECLAIMED_AT_ONCE = 2000;

type Refused = Exclude<ReserveResult, { granted: true }>;

/** See `Ledger.reserve`. The owner's row is charged first, which locks it, and discharged where a limit refuses. */
export async function reserveSlot(
  q: Queryable,
  r: Reservation,
  newId?: () => number,
): Promise<ReserveResult> {
  const taken = await takenLocator(q, r);
  if (taken) return taken;
  const { size } = r.upload;
  const { account, isNew } = await chargePending(q, r.upload.owner, size, newId);
  const refused = await makeRoom(q, account, r);
  if (!refused) {
    await addRow(q, account, r);
    return { granted: true };
  }
  await adjustOwner(q, account.id, { uploads: 0, bytes: 0, pendingUploads: -1, pendingBytes: -size });
  if (isNew) await deleteOwner(q, account.id);
  return refused;
}

async function takenLocator(q: Queryable, r: Reservation): Promise<Refused | undefined> {
  const { locator, id } = r.upload;
  const [row] = await q.query<UploadRowWithOwner>(`${SELECT_UPLOADS} where ${WHERE_LOCATOR}`, [locator]);
  if (row && !(await deleteIfExpired(q, row, r.now))) return inUse({ upload: toUpload(row, row.owner) });
  // A slot that nobody filled in time takes nothing from a link that may come again.
  const [removal] = await q.query<RemovalRow>(
    `${SELECT_REMOVALS} where locator = $1 and reason <> 'unused' order by removed_at desc limit 1`,
    [locator],
  );
  if (removal) return inUse({ removal: toRemoval(removal) });
  if (locator === id) return undefined;
  const [twin] = await q.query<UploadRowWithOwner>(`${SELECT_UPLOADS} where uploads.id = $1`, [id]);
  return twin && inUse({ upload: toUpload(twin, twin.owner) });
}

const inUse = (by: { upload: Upload } | { removal: ReturnType<typeof toRemoval> }): Refused => ({
  granted: false,
  limit: 'locator',
  ...by,
});

/** Undefined once the reservation fits under every limit. */
async function makeRoom(q: Queryable, account: OwnerAccount, r: Reservation): Promise<Refused | undefined> {
  if ((await findViolations(q, account, r)).length === 0) return undefined;
  await reclaimFor(q, account, r);
  const now = await readAccount(q, account.id);
  const obstacles = await findViolations(q, now, r);
  const blocking = obstacles.filter((obstacle) => excessAmount(obstacle) > obstacle.evictable);
  const plan = blocking.every(({ limit }) => limit === 'globalBytes')
    ? await planEviction(q, now, r, obstacles)
    : { ids: [], bytes: 0 };
  const left = blocking.filter((obstacle) => excessAmount(obstacle) > plan.bytes);
  if (left.length > 0) return await refusal(q, now, r, left);
  await evictUploads(q, plan, r.now);
  return undefined;
}

/** Room was promised for the moment at which something ends, not for the sweep after it. */
async function reclaimFor(q: Queryable, account: OwnerAccount, r: Reservation): Promise<void> {
  const { lifetimes, now } = r;
  const limit = RECLAIMED_AT_ONCE;
  const own = (await readPurposeBytes(q, account)).map(({ purpose }) => purpose);
  await removeExpired(q, { ownerId: account.id, purposes: own, lifetimes, now, limit });
  const obstacles = await findViolations(q, await readAccount(q, account.id), r);
  if (!obstacles.some((obstacle) => obstacle.limit === 'globalBytes')) return;
  await removeExpired(q, { purposes: await storedPurposes(q), lifetimes, now, limit });
}

/** Of several limits in the way the one that is there longest: the promised moment holds for all of them. */
async function refusal(
  q: Queryable,
  account: OwnerAccount,
  r: Reservation,
  obstacles: readonly QuotaViolation[],
): Promise<Refused> {
  const refusals = await Promise.all(
    obstacles.map(async (obstacle) => {
      const { limit, used, allowed } = obstacle;
      const retryAt = await forecastViolationEnd(q, account, r, obstacle);
      return { granted: false, limit, used, allowed, retryAt } as const;
    }),
  );
  const when = ({ retryAt }: { retryAt: number | null }) => retryAt ?? Number.POSITIVE_INFINITY;
  return refusals.reduce((last, next) => (when(next) > when(last) ? next : last));
}

async function addRow(q: Queryable, account: OwnerAccount, r: Reservation): Promise<void> {
  const { upload, claim = null, now } = r;
  const { id, locator, size, purpose } = upload;
  const rate_buckets = bucketWidthsFor(r.limits);
  await q.query(
    `insert into uploads (id, locator, put_key, owner_id, endpoint, purpose, name, type, size, state, blob,
       created_at, deadline, stored_at, expires_at, claim_token, instance, claimed_at, may_have_bytes, reserved_by_put, rate_buckets)
      values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, null, $14, $15, $16, $17, $18, $18, $19)`,
    [
      id,
      locator === id ? null : locator,
      r.putKey,
      account.id,
      upload.endpoint,
      purpose,
      upload.name,
      upload.type,
      size,
      claim ? 'receiving' : 'issued',
      upload.blob,
      now,
      upload.deadline,
      upload.expiresAt,
      claim?.token ?? null,
      claim?.instance ?? null,
      claim ? now : null,
      claim ? 1 : 0,
      rate_buckets,
    ],
  );
  await chargeUploadRates(q, { owner_id: account.id, created_at: now, size, rate_buckets });
  await adjustPurposeAndTotals(q, account.id, purpose, {
    uploads: 0,
    bytes: 0,
    pendingUploads: 1,
    pendingBytes: size,
  });
}
