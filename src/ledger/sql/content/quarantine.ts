import type { Endpoint, Upload } from '../../../base/upload-records.ts';
import type {
  QuarantinedFile,
  QuarantineKey,
  QuarantineParams,
  QuarantineQuery,
} from '../../contract/content.ts';
import { inList, insertMany, type Queryable, type SqlValue } from '../database.ts';
import { adjustPurposeAndTotals, chargeStored } from '../quota/accounts.ts';
import { addPendingBlobs, recordRemovals } from '../remove.ts';
import { toUpload, type UploadRow } from '../rows.ts';

/** A row of `quarantine`. */
interface QuarantineRow {
  readonly id: string;
  readonly locator: string;
  readonly put_key: string | null;
  readonly owner: string;
  readonly endpoint: Endpoint;
  readonly purpose: string;
  readonly name: string;
  readonly type: string;
  readonly size: number;
  readonly blob: string | null;
  readonly created_at: number;
  readonly deadline: number;
  readonly expires_at: number | null;
  readonly sha256: string | null;
  readonly signature: string;
  readonly found_at: number;
  readonly purge_at: number;
}

/** Implements `ContentStore.quarantine`. */
export async function quarantineUpload(q: Queryable, params: QuarantineParams): Promise<boolean> {
  const { upload, keepsBytes } = params;
  const row = await takeRow(q, params);
  if (params.holds !== 'nothing' && !row) {
    await addPendingBlobs(q, [upload.blob]);
    return false;
  }
  if (row) {
    const cause = { reason: 'deleted', detail: '', now: params.now, withoutRecord: true } as const;
    // Refunds the quota, and leaves the bytes of this attempt to the quarantine. An unfinished upload in the slot had other bytes.
    await recordRemovals(q, [row], cause, new Set(row.blob === upload.blob ? [row] : []));
  }
  await dropSameLocator(q, upload.locator);
  await insertRecord(q, params, row?.put_key ?? null);
  if (!keepsBytes) await addPendingBlobs(q, [upload.blob]);
  return true;
}

/** Deletes the slot or the claimed upload of an attempt. */
async function takeRow(
  q: Queryable,
  { upload: { id }, holds }: QuarantineParams,
): Promise<(UploadRow & { put_key: string | null }) | undefined> {
  if (holds === 'nothing') return undefined;
  const [row] = await q.query<UploadRow & { put_key: string | null }>(
    holds === 'slot'
      ? "delete from uploads where id = $1 and state = 'issued' and may_have_bytes = 0 returning *"
      : "delete from uploads where id = $1 and state = 'receiving' and claim_token = $2 returning *",
    holds === 'slot' ? [id] : [id, holds.claim],
  );
  return row;
}

async function dropSameLocator(q: Queryable, locator: string): Promise<void> {
  const rows = await q.query<Pick<QuarantineRow, 'blob'>>(
    'delete from quarantine where locator = $1 returning blob',
    [locator],
  );
  await addPendingBlobs(q, blobsOf(rows));
}

const blobsOf = (rows: readonly Pick<QuarantineRow, 'blob'>[]) =>
  rows.map(({ blob }) => blob).filter((blob) => blob !== null);

async function insertRecord(q: Queryable, params: QuarantineParams, putKey: string | null): Promise<void> {
  const { upload, sha256, signature, keepsBytes, now, purgeAt } = params;
  const row: QuarantineRow = {
    id: upload.id,
    locator: upload.locator,
    put_key: putKey,
    owner: upload.owner,
    endpoint: upload.endpoint,
    purpose: upload.purpose,
    name: upload.name,
    type: upload.type,
    size: upload.size,
    blob: keepsBytes ? upload.blob : null,
    created_at: upload.createdAt,
    deadline: upload.deadline,
    expires_at: upload.expiresAt,
    sha256,
    signature,
    found_at: now,
    purge_at: purgeAt,
  };
  // Two attempts at one signed link may end at the same time. The later one finds the record of the earlier one.
  const tail = 'on conflict do nothing returning 1 as one';
  const inserted = await insertMany(q, { table: 'quarantine', columns: Object.keys(row), tail }, [
    Object.values(row),
  ]);
  if (inserted.length === 0 && keepsBytes) await addPendingBlobs(q, [upload.blob]);
}

/** Implements `ContentStore.findQuarantined`. */
export async function queryQuarantined(
  q: Queryable,
  by: QuarantineKey,
): Promise<QuarantinedFile | undefined> {
  const [row] = await q.query<QuarantineRow>(
    'putKey' in by
      ? 'select * from quarantine where put_key = $1'
      : 'select * from quarantine where locator = $1',
    ['putKey' in by ? by.putKey : by.locator],
  );
  return row && toQuarantinedFile(row);
}

/** Implements `ContentStore.listQuarantine`. */
export async function queryQuarantine(
  q: Queryable,
  { id, before, limit }: QuarantineQuery,
): Promise<QuarantinedFile[]> {
  const params: SqlValue[] = [limit];
  const terms = ['true'];
  if (id !== undefined) terms.push(`id = $${params.push(id)}`);
  if (before) terms.push(`(found_at, id) < ($${params.push(before.foundAt)}, $${params.push(before.id)})`);
  const rows = await q.query<QuarantineRow>(
    `select * from quarantine where ${terms.join(' and ')} order by found_at desc, id desc limit $1`,
    params,
  );
  return rows.map(toQuarantinedFile);
}

function toQuarantinedFile(row: QuarantineRow): QuarantinedFile {
  return {
    id: row.id,
    locator: row.locator,
    owner: row.owner,
    endpoint: row.endpoint,
    name: row.name,
    type: row.type,
    size: row.size,
    blob: row.blob,
    sha256: row.sha256,
    signature: row.signature,
    foundAt: row.found_at,
    purgeAt: row.purge_at,
  };
}

/** Implements `ContentStore.releaseQuarantined`. */
export async function releaseQuarantinedUpload(
  q: Queryable,
  { id, now }: { id: string; now: number },
  newOwnerId?: () => number,
): Promise<Upload | undefined> {
  const [row] = await q.query<QuarantineRow & { blob: string }>(
    `delete from quarantine where id = $1 and blob is not null
      and not exists (select 1 from uploads where uploads.id = quarantine.id or uploads.locator = quarantine.locator)
      returning *`,
    [id],
  );
  if (!row) return undefined;
  const charge = { uploads: 1, bytes: row.size, lastUploadAt: now };
  const { account } = await chargeStored(q, row.owner, charge, newOwnerId);
  const delta = { uploads: 1, bytes: row.size, pendingUploads: 0, pendingBytes: 0 };
  await adjustPurposeAndTotals(q, account.id, row.purpose, delta);
  const columns = {
    id: row.id,
    locator: row.locator === row.id ? null : row.locator,
    put_key: row.put_key,
    owner_id: account.id,
    endpoint: row.endpoint,
    purpose: row.purpose,
    name: row.name,
    type: row.type,
    size: row.size,
    state: 'stored',
    blob: row.blob,
    created_at: row.created_at,
    deadline: row.deadline,
    stored_at: now,
    expires_at: row.expires_at,
    sha256: row.sha256,
    may_have_bytes: 1,
    reserved_by_put: 0,
    rate_buckets: '',
  };
  const tail = 'returning *';
  const [inserted] = await insertMany<UploadRow>(
    q,
    { table: 'uploads', columns: Object.keys(columns), tail },
    [Object.values(columns)],
  );
  return inserted && toUpload(inserted, row.owner);
}

/** Implements `ContentStore.deleteQuarantined`. */
export async function deleteQuarantineRows(
  q: Queryable,
  { ids, limit }: { ids?: readonly string[]; limit: number },
): Promise<number> {
  const params: SqlValue[] = [limit, ...(ids ?? [])];
  const where = ids ? `where id in ${inList(ids.length, 2)}` : '';
  return await deleteRows(q, `select id from quarantine ${where} order by found_at, id limit $1`, params);
}

/** Deletes up to `limit` files of an owner from the quarantine. Returns their number. For `AdminStore.forget`. */
export async function forgetQuarantine(q: Queryable, owner: string, limit: number): Promise<number> {
  return await deleteRows(q, 'select id from quarantine where owner = $2 limit $1', [limit, owner]);
}

async function deleteRows(q: Queryable, selection: string, params: readonly SqlValue[]): Promise<number> {
  const rows = await q.query<Pick<QuarantineRow, 'blob'>>(
    `delete from quarantine where id in (${selection}) returning blob`,
    params,
  );
  await addPendingBlobs(q, blobsOf(rows));
  return rows.length;
}
