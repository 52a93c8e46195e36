import type { RemovalReason, Upload, UploadState } from '../../base/upload-records.ts';
import type { RemoveParams } from '../contract/ledger.ts';
import { chunks, inList, insertMany, type Queryable } from './database.ts';
import {
  adjustOwner,
  adjustPurpose,
  adjustRemovalCount,
  adjustTotals,
  totalsShard,
  type UsageDelta,
} from './quota/accounts.ts';
import { correctUploadRates } from './quota/upload-rates.ts';
import { toUpload, type UploadRow } from './rows.ts';

/** Written to the removal records of deleted uploads. */
export interface RemovalCause {
  readonly reason: RemovalReason;
  readonly detail: string;
  /** Replaces `detail` for a slot to which a PUT has come. */
  readonly detailAfterPut?: string;
  readonly now: number;
  /** Records neither owner nor name. */
  readonly anonymous?: boolean;
  /** Writes no record. */
  readonly withoutRecord?: boolean;
}

/** Implements `UploadStore.remove`. */
export async function removeUploadsById(
  q: Queryable,
  { ids, owners, restorableUntil, ...cause }: RemoveParams,
): Promise<Upload[]> {
  const rows = await deleteUploads(q, owners ? await idsOfOwners(q, ids, owners) : ids);
  const names = await ownerNames(q, rows);
  const kept = restorableUntil === undefined ? [] : rows.filter(isRestorable);
  await recordRemovals(q, rows, cause, new Set(kept));
  if (restorableUntil !== undefined) await insertTrash(q, kept, { ...cause, restorableUntil });
  return rows.map((row) => toUpload(row, names.get(row.owner_id) ?? ''));
}

async function idsOfOwners(
  q: Queryable,
  ids: readonly string[],
  owners: readonly string[],
): Promise<string[]> {
  const found: string[] = [];
  for (const chunk of chunks(ids)) {
    const rows = await q.query<{ id: string }>(
      `select id from uploads where id in ${inList(chunk.length)}
        and owner_id in (select id from owners where name in ${inList(owners.length, chunk.length + 1)})`,
      [...chunk, ...owners],
    );
    found.push(...rows.map(({ id }) => id));
  }
  return found;
}

/** Deletes rows, and only those in `state` if it is given. The caller must pass the result to `recordRemovals`. */
export async function deleteUploads(
  q: Queryable,
  ids: readonly string[],
  state?: UploadState,
): Promise<UploadRow[]> {
  const rows: UploadRow[] = [];
  for (const chunk of chunks(ids)) {
    const stateTerm = state === undefined ? '' : `and state = $${chunk.length + 1}`;
    const sql = `delete from uploads where id in ${inList(chunk.length)} ${stateTerm} returning *`;
    rows.push(...(await q.query<UploadRow>(sql, state === undefined ? chunk : [...chunk, state])));
  }
  return rows;
}

async function ownerNames(q: Queryable, rows: readonly UploadRow[]): Promise<Map<number, string>> {
  const names = new Map<number, string>();
  for (const chunk of chunks([...new Set(rows.map((row) => row.owner_id))])) {
    const owners = await q.query<{ id: number; name: string }>(
      `select id, name from owners where id in ${inList(chunk.length)}`,
      chunk,
    );
    for (const { id, name } of owners) names.set(id, name);
  }
  return names;
}

/**
 * Writes everything that follows from rows that this transaction has deleted: removal records, pending deletes, counters,
 * and refunds of the upload rates of unused slots.
 *
 * A key becomes a pending delete in the transaction that takes it from its upload: here with the row, or in `claims.ts` with
 * the claim of one attempt. Every attempt has its own key, so deleting a pending key never deletes the bytes of a later one.
 */
export async function recordRemovals(
  q: Queryable,
  rows: readonly UploadRow[],
  cause: RemovalCause,
  /** Rows whose bytes go to the trash. */
  kept: ReadonlySet<UploadRow> = new Set(),
): Promise<void> {
  if (rows.length === 0) return;
  if (!cause.withoutRecord) await insertRecords(q, rows, cause);
  await addPendingDeletes(
    q,
    rows.filter((row) => !kept.has(row)),
  );
  await refund(q, rows);
}

/** Refunds a deleted upload that was reserved by its PUT. Writes no record, because its link may be used again. */
export async function discardUpload(q: Queryable, row: UploadRow): Promise<void> {
  await addPendingDeletes(q, [row]);
  await refund(q, [row]);
}

const REMOVAL_COLUMNS = [
  'locator',
  'removed_at',
  'id',
  'owner_id',
  'endpoint',
  'name',
  'size',
  'was_stored',
  'created_at',
  'reason',
  'detail',
  'tombstone',
];

async function insertRecords(q: Queryable, rows: readonly UploadRow[], cause: RemovalCause): Promise<void> {
  const { reason, detail, detailAfterPut, now, anonymous } = cause;
  const records = rows.map((row) => [
    row.locator ?? row.id,
    now,
    row.id,
    anonymous ? null : row.owner_id,
    row.endpoint,
    anonymous ? '' : row.name,
    row.size,
    row.state === 'stored' ? 1 : 0,
    row.created_at,
    reason,
    row.claimed_at === null ? detail : (detailAfterPut ?? detail),
    isTombstone(row, reason) ? 1 : 0,
  ]);
  const tail = 'on conflict do nothing returning id';
  const inserted = await insertMany(q, { table: 'removals', columns: REMOVAL_COLUMNS, tail }, records);
  await adjustRemovalCount(q, inserted.length);
}

/** A file that has no public name yet is deleted at once: `publish` may still be renaming it. */
const isRestorable = (row: UploadRow) => row.state === 'stored' && row.unpublished_blob === null;

const TRASH_COLUMNS =
  `id locator owner_id endpoint purpose name type size blob created_at deadline stored_at expires_at sha256 scan removed_at
  removed_by purge_at`.split(/\s+/);

async function insertTrash(
  q: Queryable,
  rows: readonly UploadRow[],
  { now, detail, restorableUntil }: RemovalCause & { restorableUntil: number },
): Promise<void> {
  const values = rows.map((row) => [
    row.id,
    row.locator,
    row.owner_id,
    row.endpoint,
    row.purpose,
    row.name,
    row.type,
    row.size,
    row.blob,
    row.created_at,
    row.deadline,
    row.stored_at,
    row.expires_at,
    row.sha256,
    row.scan,
    now,
    detail,
    restorableUntil,
  ]);
  await insertMany(q, { table: 'trash', columns: TRASH_COLUMNS }, values);
}

/**
 * Returns whether a removal record is a tombstone, which blocks its locator. Signed links and links of other services need one,
 * because their locators can be requested again. Random ids cannot.
 */
function isTombstone(row: UploadRow, reason: RemovalReason): boolean {
  return reason !== 'unused' && (row.locator !== null || row.endpoint === 'import');
}

/** Adds the blobs of rows to the pending deletes. */
export async function addPendingDeletes(q: Queryable, rows: readonly UploadRow[]): Promise<void> {
  const withBytes = rows.filter((row) => row.may_have_bytes === 1);
  const unpublished = withBytes.map((row) => row.unpublished_blob).filter((blob) => blob !== null);
  await addPendingBlobs(q, [...withBytes.map(({ blob }) => blob), ...unpublished]);
}

/** Adds blobs to the pending deletes. Ignores those that are already there. */
export async function addPendingBlobs(q: Queryable, blobs: readonly string[]): Promise<void> {
  const rows = blobs.map((blob) => [blob]);
  await insertMany(q, { table: 'pending_deletes', columns: ['blob'], tail: 'on conflict do nothing' }, rows);
}

async function refund(q: Queryable, rows: readonly UploadRow[]): Promise<void> {
  for (const [ownerId, ownerRows] of group(rows, (row) => row.owner_id)) {
    const delta = sum(ownerRows);
    await adjustOwner(q, ownerId, delta);
    for (const [purpose, some] of group(ownerRows, (row) => row.purpose)) {
      await adjustPurpose(q, ownerId, purpose, sum(some));
    }
  }
  // Updates shards in sorted order, so that concurrent transactions cannot deadlock.
  const shards = [...group(rows, (row) => totalsShard(row.owner_id))].sort(([a], [b]) => a - b);
  for (const [shard, some] of shards) await adjustTotals(q, shard, sum(some));
  for (const row of rows) if (row.state !== 'stored') await correctUploadRates(q, row, -1, -row.size);
}

function group<K>(rows: readonly UploadRow[], key: (row: UploadRow) => K): Map<K, UploadRow[]> {
  const groups = new Map<K, UploadRow[]>();
  for (const row of rows) {
    const some = groups.get(key(row));
    if (some) some.push(row);
    else groups.set(key(row), [row]);
  }
  return groups;
}

function sum(rows: readonly UploadRow[]): UsageDelta {
  const stored = rows.filter(({ state }) => state === 'stored');
  const pending = rows.filter(({ state }) => state !== 'stored');
  const bytes = (some: readonly UploadRow[]) => some.reduce((total, { size }) => total + size, 0);
  return {
    uploads: -stored.length,
    bytes: -bytes(stored),
    pendingUploads: -pending.length,
    pendingBytes: -bytes(pending),
  };
}
