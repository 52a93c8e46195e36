import type { Upload } from '../../base/upload-records.ts';
import type { RemovedForRoom, Reservation, ReserveResult } from '../contract/ledger.ts';
import { deleteIfExpired, ledgerTimeSql } from './claims.ts';
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
import { evictUploads, NO_EVICTION, planEviction } from './quota/evict.ts';
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
  type UploadRow,
  type UploadRowWithOwner,
  WHERE_LOCATOR,
} from './rows.ts';

/** Uploads that one reservation removes at most for each reason. Each blocks the ledger for about 30 µs. */
const MAX_REMOVED = 500;

type RefusedReservation = Exclude<ReserveResult, { granted: true }>;

/** The result of making room for a reservation. */
interface Room {
  /** Undefined if the reservation fits now. */
  readonly refused?: RefusedReservation;
  readonly removed: readonly RemovedForRoom[];
}

/** Implements `UploadStore.reserve`. Charges the owner's row first, which locks it, and refunds it if a limit refuses. */
export async function reserveSlot(
  q: Queryable,
  r: Reservation,
  newId?: () => number,
): Promise<ReserveResult> {
  const conflict = await findLocatorConflict(q, r);
  if (conflict) return conflict;
  const { size } = r.upload;
  const { account, isNew } = await chargePending(q, r.upload.owner, size, newId);
  const { refused, removed } = await makeRoom(q, account, r);
  const result: ReserveResult = refused ?? { granted: true };
  if (refused) {
    await adjustOwner(q, account.id, { uploads: 0, bytes: 0, pendingUploads: -1, pendingBytes: -size });
    if (isNew) await deleteOwner(q, account.id);
  } else await insertSlot(q, account, r);
  return removed.length === 0 ? result : { ...result, removed };
}

async function findLocatorConflict(q: Queryable, r: Reservation): Promise<RefusedReservation | undefined> {
  const { locator, id } = r.upload;
  const [row] = await q.query<UploadRowWithOwner>(`${SELECT_UPLOADS} where ${WHERE_LOCATOR}`, [locator]);
  if (row && !(await deleteIfExpired(q, row, r))) return inUse({ upload: toUpload(row, row.owner) });
  // An unused slot does not block its locator, because no file was served under it.
  const [removal] = await q.query<RemovalRow>(
    `${SELECT_REMOVALS} where locator = $1 and reason <> 'unused' order by removed_at desc limit 1`,
    [locator],
  );
  if (removal && r.reusesLocator !== true) return inUse({ removal: toRemoval(removal) });
  if (locator === id) return undefined;
  const [sameId] = await q.query<UploadRowWithOwner>(`${SELECT_UPLOADS} where uploads.id = $1`, [id]);
  return sameId && inUse({ upload: toUpload(sameId, sameId.owner) });
}

const inUse = (by: { upload: Upload } | { removal: ReturnType<typeof toRemoval> }): RefusedReservation => ({
  granted: false,
  limit: 'locator',
  ...by,
});

/** Removes expired and evictable uploads if needed. */
async function makeRoom(q: Queryable, account: OwnerAccount, r: Reservation): Promise<Room> {
  if ((await findViolations(q, account, r)).length === 0) return { removed: [] };
  const expired = await removeExpiredFor(q, account, r);
  const removed = tallyRemoved(expired);
  const current = await readAccount(q, account.id);
  const violations = await findViolations(q, current, r);
  // More expired uploads may be left than this transaction has removed.
  if (violations.length > 0 && expired.length >= MAX_REMOVED) return { refused: REPEAT, removed };
  const blocking = violations.filter((violation) => excessAmount(violation) > violation.evictable);
  const plan = blocking.every(({ limit }) => limit === 'globalBytes')
    ? await planEviction(q, current, r, violations, MAX_REMOVED)
    : NO_EVICTION;
  const remaining = blocking.filter((violation) => excessAmount(violation) > plan.bytes);
  if (remaining.length > 0) return { refused: await refusalFor(q, current, r, remaining), removed };
  const evicted = await evictUploads(q, plan, r.now);
  const room = { removed: [...removed, ...tally('evicted', evicted)] };
  return plan.isComplete ? room : { ...room, refused: REPEAT };
}

const REPEAT: RefusedReservation = { granted: false, limit: 'batch' };

function tallyRemoved(rows: readonly UploadRow[]): RemovedForRoom[] {
  const stored = rows.filter(({ state }) => state === 'stored');
  const unused = rows.filter(({ state }) => state !== 'stored');
  return [...tally('expired', stored), ...tally('unused', unused)];
}

function tally(reason: RemovedForRoom['reason'], rows: readonly UploadRow[]): RemovedForRoom[] {
  if (rows.length === 0) return [];
  return [{ reason, uploads: rows.length, bytes: rows.reduce((sum, { size }) => sum + size, 0) }];
}

/** A `retryAt` names the time of an expiry, which may be before the next sweep. So the reservation removes expired uploads itself. */
async function removeExpiredFor(q: Queryable, account: OwnerAccount, r: Reservation): Promise<UploadRow[]> {
  const { lifetimes, now } = r;
  const limit = MAX_REMOVED;
  const purposes = (await readPurposeBytes(q, account)).map(({ purpose }) => purpose);
  const removed = await removeExpired(q, { ownerId: account.id, purposes, lifetimes, now, limit });
  const violations = await findViolations(q, await readAccount(q, account.id), r);
  if (!violations.some((violation) => violation.limit === 'globalBytes')) return removed;
  const others = await removeExpired(q, { purposes: await storedPurposes(q), lifetimes, now, limit });
  return [...removed, ...others];
}

/** Returns the violation that lasts longest, so that its `retryAt` holds for all limits. */
async function refusalFor(
  q: Queryable,
  account: OwnerAccount,
  r: Reservation,
  violations: readonly QuotaViolation[],
): Promise<RefusedReservation> {
  const refusals = await Promise.all(
    violations.map(async (violation) => {
      const { limit, used, allowed } = violation;
      const retryAt = await forecastViolationEnd(q, account, r, violation);
      return { granted: false, limit, used, allowed, retryAt } as const;
    }),
  );
  const endOf = ({ retryAt }: { retryAt: number | null }) => retryAt ?? Number.POSITIVE_INFINITY;
  return refusals.reduce((last, next) => (endOf(next) > endOf(last) ? next : last));
}

async function insertSlot(q: Queryable, account: OwnerAccount, r: Reservation): Promise<void> {
  const { upload, claim = null, now } = r;
  const { id, locator, size, purpose } = upload;
  const rateBuckets = bucketWidthsFor(r.limits);
  const claimedAt = claim ? ledgerTimeSql(q, '$17') : 'cast($17 as bigint)';
  await q.query(
    `insert into uploads (id, locator, put_key, owner_id, endpoint, purpose, name, type, size, state, blob,
       created_at, deadline, stored_at, expires_at, claim_token, instance, claimed_at, may_have_bytes, reserved_by_put, rate_buckets)
      values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, null, $14, $15, $16, ${claimedAt}, $18, $18, $19)`,
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
      (claim && r.ledgerTime) ?? null,
      claim ? 1 : 0,
      rateBuckets,
    ],
  );
  await chargeUploadRates(q, { owner_id: account.id, created_at: now, size, rate_buckets: rateBuckets });
  await adjustPurposeAndTotals(q, account.id, purpose, {
    uploads: 0,
    bytes: 0,
    pendingUploads: 1,
    pendingBytes: size,
  });
}
