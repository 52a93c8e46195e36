import type { UserPage, UserQuery } from '../../contract/files.ts';
import type { Queryable } from '../database.ts';
import { type Condition, escapeLike, readPage } from './file-lists.ts';

interface UserRow {
  readonly name: string;
  readonly uploads: number;
  readonly bytes: number;
  readonly pending_uploads: number;
  readonly pending_bytes: number;
  readonly last_upload_at: number | null;
}

/** Implements `FileStore.listUsers`. */
export async function queryUsers(q: Queryable, { sort, prefix, after, limit }: UserQuery): Promise<UserPage> {
  const isByBytes = sort === 'largest';
  const filters: Condition[] = [['owners.uploads + owners.pending_uploads > 0']];
  if (prefix !== undefined) filters.push(["owners.name like ? escape '!'", `${escapeLike(prefix)}%`]);
  const { rows, next } = await readPage<UserRow>(
    q,
    {
      table: 'owners',
      ranges: [[]],
      keys: isByBytes ? ['bytes', 'id'] : ['name'],
      descending: isByBytes,
      after,
      isIndexed: true,
    },
    { select: 'owners.*', filters, limit },
  );
  const users = rows.map((row) => ({
    owner: row.name,
    uploads: row.uploads,
    bytes: row.bytes,
    pendingUploads: row.pending_uploads,
    pendingBytes: row.pending_bytes,
    lastUploadAt: row.last_upload_at,
  }));
  return { users, next };
}
