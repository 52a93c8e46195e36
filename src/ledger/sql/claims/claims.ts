import {
  attemptBlobKey,
  attemptSuffix,
  isAttemptBlobKey,
  toSlotBlobKey,
  writerTag,
} from '../../../base/blob-keys.ts';
import type { StoreSlotParams } from '../../contract/direct-uploads.ts';
import type {
  ClaimParams,
  ClaimResult,
  CommitParams,
  PublishedBlob,
  ReleaseParams,
  UnpublishedBlob,
} from '../../contract/uploads.ts';
import type { Queryable } from '../database.ts';
import { removalCauses } from '../expiry.ts';
import { mayStoreSql } from '../processes/dead-writers.ts';
import { ledgerTimeSql, silentSinceSql } from '../processes/heartbeats.ts';
import { adjustPurposeAndTotals, settlePending, type UsageDelta } from '../quota/accounts.ts';
import { correctUploadRates } from '../quota/upload-rates.ts';
import { addPendingBlobs, addPendingDeletes, discardUpload, recordRemovals } from '../remove.ts';
import { SELECT_UPLOADS, toUpload, type UploadRow, type UploadRowWithOwner, WHERE_LOCATOR } from '../rows.ts';

/**
 * Returns a condition for `receiving` uploads that were claimed at least `HEARTBEAT_TIMEOUT_MS` ago, and whose process has sent
 * no heartbeat within that time. `param`: as in `ledgerTimeSql`.
 */
export function abandonedClaimSql(q: Queryable, param: string): string {
  const silentSince = silentSinceSql(q, param);
  return `state = 'receiving' and claimed_at <= ${silentSince} and not exists (
     select 1 from instances where instances.id = uploads.instance and instances.seen_at > ${silentSince})`;
}

/** Implements `UploadStore.claim`. */
export async function claimSlot(q: Queryable, params: ClaimParams): Promise<ClaimResult> {
  const issued = await claimIssued(q, params);
  if (issued) return { outcome: 'claimed', upload: toUpload(issued, issued.owner) };
  const row = await findClaimable(q, params.by);
  if (!row) return { outcome: 'unknown' };
  if (row.state === 'stored') return { outcome: 'stored', upload: toUpload(row, row.owner) };
  if (row.deadline <= params.now) return { outcome: 'unknown' };
  const blob = attemptBlobKey(row.blob, params.token);
  if (!(await setReceiving(q, row, blob, params))) return await claimedByOther(q, params.by);
  await abandonBlob(q, row);
  return { outcome: 'claimed', upload: { ...toUpload(row, row.owner), state: 'receiving', blob } };
}

/**
 * Claims the slot without a look-up if no other PUT has claimed it. An issued slot without bytes has its slot key, which
 * contains the id exactly once.
 */
async function claimIssued(
  q: Queryable,
  { by, token, instance, now, ledgerTime }: ClaimParams,
): Promise<UploadRowWithOwner | undefined> {
  const [row] = await q.query<UploadRowWithOwner>(
    `update uploads set state = 'receiving', claim_token = $2, instance = $3, claimed_at = ${ledgerTimeSql(q, '$4')},
       blob = replace(blob, id, id || $5), may_have_bytes = 1
      where ${whereClaimable(by)} and state = 'issued' and may_have_bytes = 0 and deadline > $6
      returning *, (select name from owners where owners.id = owner_id) as owner`,
    [claimableKey(by), token, instance, ledgerTime ?? null, attemptSuffix(token), now],
  );
  return row;
}

const NOT_RESUMABLE = 'resource_key = null, received = null, stop_requested = 0';

const whereClaimable = (by: ClaimParams['by']) => ('putKey' in by ? 'uploads.put_key = $1' : WHERE_LOCATOR);
const claimableKey = (by: ClaimParams['by']) => ('putKey' in by ? by.putKey : by.locator);

async function findClaimable(q: Queryable, by: ClaimParams['by']): Promise<UploadRowWithOwner | undefined> {
  const [row] = await q.query<UploadRowWithOwner>(`${SELECT_UPLOADS} where ${whereClaimable(by)}`, [
    claimableKey(by),
  ]);
  return row;
}

/** Returns false if another PUT has claimed the slot since `row` was read. Ends a resumable upload and its upload resource. */
async function setReceiving(
  q: Queryable,
  row: UploadRow,
  blob: string,
  { token, instance, ledgerTime }: ClaimParams,
): Promise<boolean> {
  const updated = await q.query(
    `update uploads set state = 'receiving', claim_token = $2, instance = $3, claimed_at = ${ledgerTimeSql(q, '$6')},
       blob = $4, may_have_bytes = 1, ${NOT_RESUMABLE}
      where id = $1 and claim_token is not distinct from $5 and blob = $7 and (state = 'issued' or (${abandonedClaimSql(q, '$6')}))
      returning id`,
    [row.id, token, instance, blob, row.claim_token, ledgerTime ?? null, row.blob],
  );
  return updated.length === 1;
}

/**
 * Makes the bytes of an attempt that has lost its claim a pending delete. Spares a slot key: with `downloads.via: webserver`
 * it is the public name of the file that the next attempt stores.
 */
async function abandonBlob(q: Queryable, row: UploadRow): Promise<void> {
  if (isAttemptBlobKey(row.blob)) await addPendingDeletes(q, [row]);
}

/** Returns the result for a PUT whose slot another PUT has claimed meanwhile. */
async function claimedByOther(q: Queryable, by: ClaimParams['by']): Promise<ClaimResult> {
  const row = await findClaimable(q, by);
  if (!row || row.state === 'issued') return { outcome: 'unknown' };
  return { outcome: row.state, upload: toUpload(row, row.owner) };
}

async function findByClaim(
  q: Queryable,
  { id, token }: { id: string; token: string },
): Promise<UploadRow | undefined> {
  const [row] = await q.query<UploadRow>(
    "select * from uploads where id = $1 and claim_token = $2 and state = 'receiving'",
    [id, token],
  );
  return row;
}

/** Implements `UploadStore.commit`. */
export async function commitUpload(q: Queryable, params: CommitParams): Promise<boolean> {
  const stored = await setStored(q, params, params.size);
  if (stored) {
    await chargeStoredSize(q, stored, params);
    return true;
  }
  const row = await findByClaim(q, params);
  if (row && (await setStored(q, params, row.size))) {
    await chargeStoredSize(q, row, params);
    return true;
  }
  await abandonAttempt(q, params);
  return false;
}

type StoredRow = Pick<UploadRow, 'owner_id' | 'purpose' | 'size' | 'created_at' | 'rate_buckets'>;

/** Returns undefined, and changes nothing, if the claim is gone or a size other than `reservedSize` was reserved. */
async function setStored(
  q: Queryable,
  { id, token, size, now, blob, publicBlob, content }: CommitParams,
  reservedSize: number,
): Promise<StoredRow | undefined> {
  const [stored] = await q.query<StoredRow>(
    `update uploads set state = 'stored', stored_at = $3, size = $4, blob = $5, unpublished_blob = $6,
       sha256 = $8, scan = $9, claim_token = null, instance = null, claimed_at = null
      where id = $1 and claim_token = $2 and state = 'receiving' and size = $7
      returning owner_id, purpose, size, created_at, rate_buckets`,
    [
      id,
      token,
      now,
      size,
      publicBlob ?? blob,
      publicBlob === undefined ? null : blob,
      reservedSize,
      content?.sha256 ?? null,
      content?.scan ?? null,
    ],
  );
  return stored;
}

async function chargeStoredSize(
  q: Queryable,
  row: StoredRow,
  { size, now }: Pick<CommitParams, 'size' | 'now'>,
): Promise<void> {
  const delta: UsageDelta = { uploads: 1, bytes: size, pendingUploads: -1, pendingBytes: -row.size };
  await settlePending(q, row.owner_id, { size, reservedSize: row.size, storedAt: now });
  await adjustPurposeAndTotals(q, row.owner_id, row.purpose, delta);
  if (size !== row.size) await correctUploadRates(q, row, 0, size - row.size);
}

/** Implements `DirectUploadStore.storeSlot`. */
export async function storeIssuedSlot(q: Queryable, params: StoreSlotParams): Promise<boolean> {
  const { id, size, now, blob, publicBlob, instance, content } = params;
  const [stored] = await q.query<StoredRow>(
    `update uploads set state = 'stored', stored_at = $2, blob = $3, unpublished_blob = $4, claimed_at = null,
       may_have_bytes = 1, sha256 = $8, scan = $9
      where id = $1 and state = 'issued' and may_have_bytes = 0 and deadline > $2 and size = $5 and ${mayStoreSql(q, '$6', '$7')}
      returning owner_id, purpose, size, created_at, rate_buckets`,
    [
      id,
      now,
      publicBlob ?? blob,
      publicBlob === undefined ? null : blob,
      size,
      instance,
      writerTag(instance),
      content?.sha256 ?? null,
      content?.scan ?? null,
    ],
  );
  if (stored) await chargeStoredSize(q, stored, params);
  else await addPendingBlobs(q, [blob]);
  return stored !== undefined;
}

/** Implements `UploadStore.release`. */
export async function releaseSlotClaim(q: Queryable, params: ReleaseParams): Promise<boolean> {
  const row = await findByClaim(q, params);
  if (row && (await endClaim(q, row))) return true;
  await abandonAttempt(q, params);
  return false;
}

/** Implements `UploadStore.releaseByToken`. */
export async function endClaimByToken(
  q: Queryable,
  { by, token }: Pick<ClaimParams, 'by' | 'token'>,
): Promise<boolean> {
  const row = await findClaimable(q, by);
  return row?.state === 'receiving' && row.claim_token === token && (await endClaim(q, row));
}

/** Returns false if another PUT has taken the claim over. */
async function endClaim(q: Queryable, row: UploadRow): Promise<boolean> {
  if (row.reserved_by_put === 0) return (await resetToIssued(q, row)) === 1;
  const deleted = await q.query(
    "delete from uploads where id = $1 and claim_token = $2 and state = 'receiving' returning id",
    [row.id, row.claim_token],
  );
  if (deleted.length === 1) await discardUpload(q, row);
  return deleted.length === 1;
}

/**
 * Makes the bytes of an attempt without a claim a pending delete. Spares the key if the upload has it: then the commit of
 * this attempt succeeded earlier, although its answer was lost. Spares infected files in quarantine, too.
 */
async function abandonAttempt(q: Queryable, { id, blob }: ReleaseParams): Promise<void> {
  const inUse = await q.query(
    `select 1 as one from uploads where id = $1 and (blob = $2 or unpublished_blob = $2)
      union all select 1 as one from quarantine where id = $1 and blob = $2`,
    [id, blob],
  );
  if (inUse.length === 0) await addPendingBlobs(q, [blob]);
}

/**
 * Changes receiving → issued. Returns the number of changed rows: 0 if another PUT has taken the claim over. Keeps `claimed_at`,
 * which shows that a PUT has come.
 */
export async function resetToIssued(q: Queryable, row: UploadRow): Promise<number> {
  const rows = await q.query(
    `update uploads set state = 'issued', claim_token = null, instance = null, blob = $3,
       may_have_bytes = 0, ${NOT_RESUMABLE} where id = $1 and claim_token = $2 and state = 'receiving' returning id`,
    [row.id, row.claim_token, toSlotBlobKey(row.blob)],
  );
  if (rows.length === 1) await abandonBlob(q, row);
  return rows.length;
}

/** Implements `UploadStore.unpublished`. */
export async function queryUnpublished(q: Queryable, limit: number): Promise<UnpublishedBlob[]> {
  return await q.query<UnpublishedBlob>(
    `select id, unpublished_blob as blob, blob as "publicBlob" from uploads
      where unpublished_blob is not null order by id limit $1`,
    [limit],
  );
}

/** Implements `UploadStore.confirmPublished`. */
export async function markPublished(q: Queryable, { id, publicBlob }: PublishedBlob): Promise<boolean> {
  const published = await q.query(
    "update uploads set unpublished_blob = null where id = $1 and blob = $2 and state = 'stored' returning id",
    [id, publicBlob],
  );
  if (published.length === 0) await addPendingBlobs(q, [publicBlob]);
  return published.length === 1;
}

/**
 * Deletes a slot that is past its deadline, so that its locator can be used again. Keeps it while a running PUT holds
 * the claim. Returns whether it was deleted.
 */
export async function deleteIfExpired(
  q: Queryable,
  row: UploadRow,
  { now, ledgerTime }: Pick<ClaimParams, 'now' | 'ledgerTime'>,
): Promise<boolean> {
  if (row.state === 'stored' || row.deadline > now) return false;
  const [deleted] = await q.query<UploadRow>(
    `delete from uploads where id = $1 and (state = 'issued' or (${abandonedClaimSql(q, '$2')})) returning *`,
    [row.id, ledgerTime ?? null],
  );
  if (!deleted) return false;
  await recordRemovals(q, [deleted], removalCauses.unused(now));
  return true;
}
