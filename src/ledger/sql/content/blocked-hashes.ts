import type { Upload } from '../../../base/upload-records.ts';
import type { BlockedHash, BlockedHashQuery } from '../../contract/content.ts';
import type { Queryable, SqlValue } from '../database.ts';
import { SELECT_UPLOADS, toUpload, type UploadRowWithOwner } from '../rows.ts';

const HASH = 'sha256, reason, blocked_by as "blockedBy", blocked_at as "blockedAt", size';

/** Implements `ContentStore.blockHash`. */
export async function insertBlockedHash(
  q: Queryable,
  { sha256, reason, blockedBy, blockedAt, size }: BlockedHash,
): Promise<boolean> {
  const inserted = await q.query(
    `insert into blocked_hashes (sha256, reason, blocked_by, blocked_at, size) values ($1, $2, $3, $4, $5)
      on conflict do nothing returning 1 as one`,
    [sha256, reason, blockedBy, blockedAt, size],
  );
  return inserted.length > 0;
}

/** Implements `ContentStore.unblockHash`. */
export async function deleteBlockedHash(q: Queryable, sha256: string): Promise<boolean> {
  const deleted = await q.query('delete from blocked_hashes where sha256 = $1 returning 1 as one', [sha256]);
  return deleted.length > 0;
}

/** Implements `ContentStore.findBlockedHash`. */
export async function queryBlockedHash(q: Queryable, sha256: string): Promise<BlockedHash | undefined> {
  const [row] = await q.query<BlockedHash>(`select ${HASH} from blocked_hashes where sha256 = $1`, [sha256]);
  return row && { ...row };
}

/** Implements `ContentStore.listBlockedHashes`. */
export async function queryBlockedHashes(
  q: Queryable,
  { before, limit }: BlockedHashQuery,
): Promise<BlockedHash[]> {
  const params: SqlValue[] = [limit];
  const where = before
    ? `where (blocked_at, sha256) < ($${params.push(before.blockedAt)}, $${params.push(before.sha256)})`
    : '';
  const rows = await q.query<BlockedHash>(
    `select ${HASH} from blocked_hashes ${where} order by blocked_at desc, sha256 desc limit $1`,
    params,
  );
  return rows.map((row) => ({ ...row }));
}

/** Implements `ContentStore.hasBlockedHashes`. */
export async function queryAnyBlockedHash(q: Queryable): Promise<boolean> {
  return (await q.query('select 1 as one from blocked_hashes limit 1')).length > 0;
}

/** Implements `ContentStore.recordHash`. */
export async function updateHash(
  q: Queryable,
  { id, blob, sha256 }: Pick<Upload, 'id' | 'blob'> & { sha256: string },
): Promise<boolean> {
  const updated = await q.query(
    "update uploads set sha256 = $3 where id = $1 and blob = $2 and state = 'stored' returning 1 as one",
    [id, blob, sha256],
  );
  return updated.length > 0;
}

/** Implements `ContentStore.listByHash`. */
export async function queryByHash(
  q: Queryable,
  { sha256, after = '', limit }: { sha256: string; after?: string; limit: number },
): Promise<Upload[]> {
  const rows = await q.query<UploadRowWithOwner>(
    `${SELECT_UPLOADS} where uploads.sha256 = $1 and uploads.state = 'stored' and uploads.id > $2
      order by uploads.id limit $3`,
    [sha256, after, limit],
  );
  return rows.map((row) => toUpload(row, row.owner));
}
