import { writerTag } from '../../base/blob-keys.ts';
import type { Upload, UploadState } from '../../base/upload-records.ts';
import type {
  CompleteFile,
  RemovedForRoom,
  Reservation,
  ReserveResult,
  StoreNewParams,
  StoreNewResult,
} from '../contract/ledger.ts';
import { deleteIfExpired } from './claims/claims.ts';
import type { Queryable } from './database.ts';
import { removeExpired, storedPurposes } from './expiry.ts';
import { mayStore, mayStoreSql } from './processes/dead-writers.ts';
import { ledgerTimeSql } from './processes/heartbeats.ts';
import {
  addPending,
  addStored,
  adjustPurposeAndTotals,
  deleteOwner,
  lockAccount,
  NO_USAGE,
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
import { addPendingBlobs } from './remove.ts';
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

type RefusedReservation = Exclude<StoreNewResult, { granted: true }>;

/** The result of making room for a reservation. */
interface Room {
  /** Undefined if the reservation fits now. */
  readonly refused?: RefusedReservation;
  readonly removed: readonly RemovedForRoom[];
}

/** A reservation, and the file with which it is stored at once. */
interface NewUpload extends Omit<Reservation, 'putKey'> {
  readonly putKey?: string | null;
  readonly file?: CompleteFile;
}

/** Implements `DirectUploadStore.storeNew`. */
export async function storeNewUpload(
  q: Queryable,
  params: StoreNewParams,
  newId?: () => number,
): Promise<StoreNewResult> {
  const result = await insertUpload(q, params, newId);
  if (!result.granted && result.limit !== 'batch') await addPendingBlobs(q, [params.file.blob]);
  return result;
}

/** Implements `UploadStore.reserve`. */
export async function reserveSlot(
  q: Queryable,
  r: Reservation,
  newId?: () => number,
): Promise<ReserveResult> {
  // The limit `instance` occurs only for an upload with a file.
  return (await insertUpload(q, r, newId)) as ReserveResult;
}

/** Locks the owner's row first. Nothing is charged until the upload is inserted. */
async function insertUpload(q: Queryable, r: NewUpload, newId?: () => number): Promise<StoreNewResult> {
  const { account, isNew } = await lockAccount(q, r.upload.owner, newId);
  const { refused, removed } = await makeRoom(q, account, r);
  const conflict = refused ?? (await insertUnlessInUse(q, account, r));
  if (conflict && isNew) await deleteOwner(q, account.id);
  const result: StoreNewResult = conflict ?? { granted: true };
  return removed.length === 0 ? result : { ...result, removed };
}

/** Inserts the slot, or returns why its locator cannot be used. A new locator costs no look-up. */
async function insertUnlessInUse(
  q: Queryable,
  account: OwnerAccount,
  r: NewUpload,
): Promise<RefusedReservation | undefined> {
  if (!(await insertSlot(q, account, r))) {
    const conflict = await findLocatorConflict(q, r);
    if (conflict) return conflict;
    if (r.file && !(await mayStore(q, r.file.instance))) return { granted: false, limit: 'instance' };
    // The slot that had the locator was past its deadline, and is deleted.
    if (!(await insertSlot(q, account, r))) throw new Error(`The slot ${r.upload.id} cannot be inserted.`);
  }
  await chargeCounters(q, account, r);
  return undefined;
}

async function findLocatorConflict(q: Queryable, r: NewUpload): Promise<RefusedReservation | undefined> {
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

/** Removes expired and evictable uploads if needed, but not for a locator that is in use. */
async function makeRoom(q: Queryable, account: OwnerAccount, r: NewUpload): Promise<Room> {
  if ((await findViolations(q, account, r)).length === 0) return { removed: [] };
  const conflict = await findLocatorConflict(q, r);
  if (conflict) return { refused: conflict, removed: [] };
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

/** Removes expired uploads, because a client may come back at its `retryAt`, which can be before the next sweep. */
async function removeExpiredFor(q: Queryable, account: OwnerAccount, r: NewUpload): Promise<UploadRow[]> {
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
  r: NewUpload,
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

/** Returns false if the id or the locator is in use, the locator belonged to a removed file, or the process may not store. */
async function insertSlot(q: Queryable, account: OwnerAccount, r: NewUpload): Promise<boolean> {
  const { upload, putKey = null, claim = null, file, now } = r;
  const { id, locator, size, purpose } = upload;
  const hasBytes = claim || file ? 1 : 0;
  const claimedAt = claim ? ledgerTimeSql(q, '$17') : 'cast($17 as bigint)';
  // A removed file does not block a locator that may be used again.
  const blocking = r.reusesLocator === true ? 'and 1 = 0' : '';
  const isAllowed = file ? `and ${mayStoreSql(q, '$25', '$26')}` : '';
  const writer = file ? [file.instance, writerTag(file.instance)] : [];
  const inserted = await q.execute(
    `insert into uploads (id, locator, put_key, owner_id, endpoint, purpose, name, type, size, state, blob,
       created_at, deadline, stored_at, expires_at, claim_token, instance, claimed_at, may_have_bytes, reserved_by_put, rate_buckets,
       unpublished_blob, sha256, scan)
      select $1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $21, $14, $15, $16, ${claimedAt}, $18, $18, $19, $22, $23, $24
      where not exists (select 1 from removals where locator = $20 and reason <> 'unused' ${blocking}) ${isAllowed}
      on conflict do nothing`,
    [
      id,
      locator === id ? null : locator,
      putKey,
      account.id,
      upload.endpoint,
      purpose,
      upload.name,
      upload.type,
      size,
      stateOf(r),
      file ? (file.publicBlob ?? file.blob) : upload.blob,
      now,
      upload.deadline,
      upload.expiresAt,
      claim?.token ?? null,
      claim?.instance ?? null,
      (claim && r.ledgerTime) ?? null,
      hasBytes,
      bucketWidthsFor(r.limits),
      locator,
      file ? now : null,
      file?.publicBlob === undefined ? null : file.blob,
      file?.content?.sha256 ?? null,
      file?.content?.scan ?? null,
      ...writer,
    ],
  );
  return inserted === 1;
}

function stateOf({ claim, file }: NewUpload): UploadState {
  if (file) return 'stored';
  return claim ? 'receiving' : 'issued';
}

async function chargeCounters(q: Queryable, account: OwnerAccount, r: NewUpload): Promise<void> {
  const { size, purpose } = r.upload;
  const rateBuckets = bucketWidthsFor(r.limits);
  await chargeUploadRates(q, { owner_id: account.id, created_at: r.now, size, rate_buckets: rateBuckets });
  if (r.file) await addStored(q, account.id, { size, storedAt: r.now });
  else await addPending(q, account.id, size);
  const added = r.file ? { uploads: 1, bytes: size } : { pendingUploads: 1, pendingBytes: size };
  await adjustPurposeAndTotals(q, account.id, purpose, { ...NO_USAGE, ...added });
}
