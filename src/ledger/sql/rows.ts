import type {
  Endpoint,
  Removal,
  RemovalReason,
  ScanState,
  Upload,
  UploadState,
} from '../../base/upload-records.ts';
import { insertMany, type Queryable } from './database.ts';

/** A row of `uploads`. */
export interface UploadRow {
  readonly id: string;
  readonly locator: string | null;
  readonly owner_id: number;
  readonly endpoint: Endpoint;
  readonly purpose: string;
  readonly name: string;
  readonly type: string;
  readonly size: number;
  readonly state: UploadState;
  readonly blob: string;
  readonly unpublished_blob: string | null;
  readonly created_at: number;
  readonly deadline: number;
  readonly stored_at: number | null;
  readonly expires_at: number | null;
  readonly claim_token: string | null;
  readonly instance: string | null;
  readonly claimed_at: number | null;
  readonly may_have_bytes: number;
  readonly reserved_by_put: number;
  readonly rate_buckets: string;
  readonly sha256: string | null;
  readonly scan: ScanState | null;
  readonly resource_key: string | null;
  readonly received: number | null;
  readonly stop_requested: number;
}

/** A row of `uploads` joined with the name of its owner. */
export interface UploadRowWithOwner extends UploadRow {
  readonly owner: string;
}

/** Selects uploads as `UploadRowWithOwner`. */
export const SELECT_UPLOADS =
  'select uploads.*, owners.name as owner from uploads join owners on owners.id = uploads.owner_id';

/** Selects the upload with the locator `$1`. `locator` is null if it equals the id. */
export const WHERE_LOCATOR = '((uploads.id = $1 and uploads.locator is null) or uploads.locator = $1)';

export function toUpload(row: UploadRow, owner: string): Upload {
  return {
    id: row.id,
    locator: row.locator ?? row.id,
    owner,
    endpoint: row.endpoint,
    purpose: row.purpose,
    name: row.name,
    type: row.type,
    size: row.size,
    state: row.state,
    blob: row.blob,
    ...(row.unpublished_blob !== null && { unpublishedBlob: row.unpublished_blob }),
    createdAt: row.created_at,
    deadline: row.deadline,
    storedAt: row.stored_at,
    ...(row.state === 'issued' && row.claimed_at !== null && { lastPutAt: row.claimed_at }),
    expiresAt: row.expires_at,
    ...(row.sha256 !== null && { sha256: row.sha256 }),
    ...(row.scan !== null && { scan: row.scan }),
  };
}

export interface RemovalRow {
  readonly locator: string;
  readonly id: string;
  readonly owner: string | null;
  readonly endpoint: Endpoint;
  readonly name: string;
  readonly size: number;
  readonly was_stored: number;
  readonly created_at: number;
  readonly removed_at: number;
  readonly reason: RemovalReason;
  readonly detail: string;
}

/** Selects removal records as `RemovalRow`. */
export const SELECT_REMOVALS =
  'select removals.*, owners.name as owner from removals left join owners on owners.id = removals.owner_id';

export function toRemoval(row: RemovalRow): Removal {
  return {
    locator: row.locator,
    id: row.id,
    owner: row.owner ?? '',
    endpoint: row.endpoint,
    name: row.name,
    size: row.size,
    stored: row.was_stored === 1,
    createdAt: row.created_at,
    removedAt: row.removed_at,
    reason: row.reason,
    detail: row.detail,
  };
}

/** The values of a stored upload that has no slot: an imported or restored one. */
export type StoredUploadRow = Pick<UploadRow, (typeof STORED_COLUMNS)[number]>;

const STORED_COLUMNS = [
  'id',
  'locator',
  'owner_id',
  'endpoint',
  'purpose',
  'name',
  'type',
  'size',
  'blob',
  'created_at',
  'deadline',
  'stored_at',
  'expires_at',
  'sha256',
  'scan',
] as const;

/** Inserts stored uploads, without those whose id or locator is in use. Returns the inserted rows. The caller charges the owners. */
export async function insertStoredUploads(
  q: Queryable,
  rows: readonly StoredUploadRow[],
): Promise<UploadRow[]> {
  const columns = [...STORED_COLUMNS, 'state', 'may_have_bytes', 'reserved_by_put', 'rate_buckets'];
  const tail = 'on conflict do nothing returning *';
  const values = rows.map((row) => [...STORED_COLUMNS.map((column) => row[column]), 'stored', 1, 0, '']);
  return await insertMany<UploadRow>(q, { table: 'uploads', columns, tail }, values);
}
