import type { UploadState } from '../../base/upload-records.ts';
import type { Queryable, SqlValue } from './database.ts';
import type { UploadRow } from './rows.ts';

/** Uploads of an owner in the order of their ids. */
export interface OwnerUploadsQuery {
  readonly ownerId: number;
  /** Those that are stored under these purposes. */
  readonly purposes: readonly string[];
  /** Slots beside them: in this state, or all. */
  readonly pending?: Exclude<UploadState, 'stored'> | 'all';
  readonly after?: string;
  /** Backwards: those before `after`. */
  readonly newestFirst?: boolean;
  readonly limit: number;
}

/**
 * Each purpose is a stretch of one index, the slots are one of another. The engines read each in order, up to the limit, and
 * merge them. Without limits inside PostgreSQL would sort all that the owner has.
 */
export async function listOwnerUploads(q: Queryable, query: OwnerUploadsQuery): Promise<UploadRow[]> {
  const { ownerId, purposes, pending, after, limit } = query;
  const [beyond, order] = query.newestFirst ? ['<', 'desc'] : ['>', 'asc'];
  const params: SqlValue[] = [ownerId, limit];
  const page = after === undefined ? '' : ` and id ${beyond} $${params.push(after)}`;
  const stretches = purposes.map((purpose) => `state = 'stored' and purpose = $${params.push(purpose)}`);
  // Partial indexes are only seen behind the very words of their condition.
  if (pending === 'all') stretches.push("state <> 'stored'");
  else if (pending) stretches.push(`state <> 'stored' and state = $${params.push(pending)}`);
  if (stretches.length === 0) return [];
  const tail = `order by id ${order} limit $2`;
  const parts = stretches.map(
    (stretch, i) =>
      `select * from (select * from uploads where owner_id = $1 and ${stretch}${page} ${tail}) as part${i}`,
  );
  return await q.query<UploadRow>(`${parts.join(' union all ')} ${tail}`, params);
}

/** An owner's number, and every purpose that something of theirs was ever under. */
export async function findOwnerByName(
  q: Queryable,
  name: string,
): Promise<{ id: number; purposes: string[] } | undefined> {
  const rows = await q.query<{ id: number; purpose: string | null }>(
    `select owners.id, owner_purposes.purpose from owners
      left join owner_purposes on owner_purposes.owner_id = owners.id where owners.name = $1`,
    [name],
  );
  const [first] = rows;
  if (!first) return undefined;
  return { id: first.id, purposes: ['', ...rows.flatMap(({ purpose }) => purpose ?? [])] };
}
