import type { Upload } from '../../../base/upload-records.ts';
import type {
  RestoreLimits,
  RestoreParams,
  RestoreResult,
  TrashedUpload,
  TrashQuery,
  TrashSelection,
} from '../../contract/files.ts';
import type { LimitName } from '../../contract/quota.ts';
import { formatList, inList, type Queryable, type SqlValue } from '../database.ts';
import {
  ACCOUNT,
  adjustOwner,
  adjustPurposeAndTotals,
  adjustRemovalCount,
  type OwnerAccount,
} from '../quota/accounts.ts';
import { findViolations } from '../quota/violations.ts';
import { addPendingBlobs } from '../remove.ts';
import { insertStoredUploads, type StoredUploadRow, toUpload, type UploadRow } from '../rows.ts';
import { findOwnerIds } from './file-lists.ts';

/** A row of `trash`. */
interface TrashRow extends StoredUploadRow {
  readonly removed_at: number;
  readonly removed_by: string;
  readonly purge_at: number;
}

/** Implements `FileStore.listTrash`. */
export async function queryTrash(
  q: Queryable,
  { before, limit, ...selection }: TrashQuery,
): Promise<TrashedUpload[]> {
  const params: SqlValue[] = [limit];
  const terms = [await whereSelected(q, selection, params)];
  if (before)
    terms.push(`(removed_at, trash.id) < ($${params.push(before.removedAt)}, $${params.push(before.id)})`);
  const rows = await q.query<TrashRow & { owner: string }>(
    `select trash.*, owners.name as owner from trash join owners on owners.id = trash.owner_id
      where ${terms.join(' and ')} order by removed_at desc, trash.id desc limit $1`,
    params,
  );
  return rows.map((row) => ({
    id: row.id,
    locator: row.locator ?? row.id,
    owner: row.owner,
    purpose: row.purpose,
    name: row.name,
    type: row.type,
    size: row.size,
    createdAt: row.created_at,
    removedAt: row.removed_at,
    removedBy: row.removed_by,
    purgeAt: row.purge_at,
  }));
}

/** Implements `FileStore.restoreFromTrash`. */
export async function restoreTrashedUploads(
  q: Queryable,
  { ids, owners, limits, now }: RestoreParams,
): Promise<RestoreResult> {
  const restored: Upload[] = [];
  const kept: { id: string; reason: 'blocked' | LimitName }[] = [];
  for (const row of await selectTrash(q, { ids, ...(owners && { owners }) })) {
    const reason = (await isBlocked(q, row)) ? 'blocked' : await findExceededLimit(q, row, limits, now);
    if (reason !== undefined) {
      kept.push({ id: row.id, reason });
      continue;
    }
    // Only one of two transactions that restore or purge the row at once deletes it.
    const deleted = await q.query('delete from trash where id = $1 returning 1 as one', [row.id]);
    if (deleted.length === 0) continue;
    const upload = row.purge_at > now ? await restoreRow(q, row) : undefined;
    if (upload) restored.push(upload);
    else await addPendingBlobs(q, [row.blob]);
  }
  return { restored, kept };
}

async function isBlocked(q: Queryable, { sha256 }: TrashRow): Promise<boolean> {
  if (sha256 === null) return false;
  return (await q.query('select 1 as one from blocked_hashes where sha256 = $1', [sha256])).length > 0;
}

/**
 * Returns a limit that a file would exceed, as an upload of its size and purpose would, or undefined if it fits. The update locks
 * the owner, so that no slot is granted meanwhile.
 */
async function findExceededLimit(
  q: Queryable,
  row: TrashRow,
  { purposeBytes, ...limits }: RestoreLimits,
  now: number,
): Promise<LimitName | undefined> {
  const { size, purpose } = row;
  const [account] = await q.query<OwnerAccount>(
    `update owners set bytes = bytes where id = $1 returning ${ACCOUNT}`,
    [row.owner_id],
  );
  if (!account) return undefined;
  const ofPurpose = Object.hasOwn(purposeBytes, purpose) ? purposeBytes[purpose] : null;
  const [violation] = await findViolations(q, account, {
    upload: { size, purpose },
    limits: { ...limits, purposeBytes: ofPurpose ?? null, bytesPer: null, uploadsPer: null },
    evict: false,
    lifetimes: {},
    now,
  });
  return violation?.limit;
}

/** Returns undefined if the owner is gone, or the id or locator is in use again. */
async function restoreRow(q: Queryable, row: TrashRow): Promise<Upload | undefined> {
  const [owner] = await q.query<{ name: string }>('select name from owners where id = $1', [row.owner_id]);
  if (!owner) return undefined;
  const [inserted] = await insertStoredUploads(q, [row]);
  if (!inserted) return undefined;
  const delta = { uploads: 1, bytes: row.size, pendingUploads: 0, pendingBytes: 0 };
  await adjustOwner(q, row.owner_id, delta);
  await adjustPurposeAndTotals(q, row.owner_id, row.purpose, delta);
  const records = await q.query(
    'delete from removals where locator = $1 and removed_at = $2 and id = $3 returning 1 as one',
    [row.locator ?? row.id, row.removed_at, row.id],
  );
  await adjustRemovalCount(q, -records.length);
  return toUpload(inserted, owner.name);
}

/** Implements `FileStore.purgeTrash`. */
export async function purgeTrashedUploads(
  q: Queryable,
  { limit, ...selection }: Partial<TrashSelection> & { limit: number },
): Promise<number> {
  const rows = await deleteTrash(q, selection, limit);
  await addPendingBlobs(
    q,
    rows.map(({ blob }) => blob),
  );
  return rows.length;
}

/** Deletes rows of the trash and returns them. The caller takes care of their blobs. */
async function deleteTrash(
  q: Queryable,
  selection: Partial<TrashSelection>,
  limit: number,
): Promise<TrashRow[]> {
  const params: SqlValue[] = [limit];
  const where = await whereSelected(q, selection, params);
  return await q.query<TrashRow>(
    `delete from trash where id in (select id from trash where ${where} order by removed_at, id limit $1) returning *`,
    params,
  );
}

async function selectTrash(q: Queryable, selection: TrashSelection): Promise<TrashRow[]> {
  const params: SqlValue[] = [];
  const where = await whereSelected(q, selection, params);
  return await q.query<TrashRow>(`select * from trash where ${where} order by removed_at, id`, params);
}

/** Formats the condition of a selection, and adds its parameters. */
async function whereSelected(
  q: Queryable,
  { ids, owners }: Partial<TrashSelection>,
  params: SqlValue[],
): Promise<string> {
  const terms = ['true'];
  const list = (values: readonly SqlValue[]) => formatList(values.map((value) => `$${params.push(value)}`));
  if (ids) terms.push(`trash.id in ${list(ids)}`);
  if (owners) {
    terms.push(`owner_id in ${list(await findOwnerIds(q, owners))}`);
  }
  return terms.join(' and ');
}

/** Implements `FileStore.setExpiry`. */
export async function updateExpiry(
  q: Queryable,
  { id, owners, expiresAt }: { id: string; owners: readonly string[]; expiresAt: number | null },
): Promise<Upload | undefined> {
  const [row] = await q.query<UploadRow>(
    `update uploads set expires_at = $1 where id = $2 and state = 'stored'
      and owner_id in (select id from owners where name in ${inList(owners.length, 3)}) returning *`,
    [expiresAt, id, ...owners],
  );
  if (!row) return undefined;
  const [owner] = await q.query<{ name: string }>('select name from owners where id = $1', [row.owner_id]);
  return toUpload(row, owner?.name ?? '');
}
