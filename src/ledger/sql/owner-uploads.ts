import type { UploadState } from '../../base/upload-records.ts';
import { inList, type Queryable, type SqlValue } from './database.ts';
import type { UploadRow } from './rows.ts';

export interface OwnerUploadsQuery {
  readonly ownerId: number;
  /** Purposes of the stored uploads to list. */
  readonly purposes: readonly string[];
  /** Also lists uploads that are not stored: those in this state, or all of them. */
  readonly pending?: Exclude<UploadState, 'stored'> | 'all';
  /** Last id of the previous page. */
  readonly after?: string;
  /** Reverses the order: lists ids smaller than `after`. */
  readonly newestFirst?: boolean;
  readonly limit: number;
}

/**
 * Lists uploads of an owner by id. Each purpose is a range of one index, and pending uploads are a range of another. The engines
 * read each range in order up to the limit, and merge them. Without the inner limits PostgreSQL would sort all rows of the owner.
 */
export async function listOwnerUploads(q: Queryable, query: OwnerUploadsQuery): Promise<UploadRow[]> {
  const { ownerId, purposes, pending, after, limit } = query;
  const [operator, order] = query.newestFirst ? ['<', 'desc'] : ['>', 'asc'];
  const params: SqlValue[] = [ownerId, limit];
  const page = after === undefined ? '' : ` and id ${operator} $${params.push(after)}`;
  const ranges = purposes.map((purpose) => `state = 'stored' and purpose = $${params.push(purpose)}`);
  // A partial index is only used if the statement contains its condition literally.
  if (pending === 'all') ranges.push("state <> 'stored'");
  else if (pending) ranges.push(`state <> 'stored' and state = $${params.push(pending)}`);
  if (ranges.length === 0) return [];
  const tail = `order by id ${order} limit $2`;
  const parts = ranges.map(
    (range, i) =>
      `select * from (select * from uploads where owner_id = $1 and ${range}${page} ${tail}) as part${i}`,
  );
  return await q.query<UploadRow>(`${parts.join(' union all ')} ${tail}`, params);
}

/** Finds an owner's id and all purposes that its uploads ever had. */
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

/** Counts stored uploads of an owner under some purposes, up to `limit`. Reads only the index. */
export async function countStored(
  q: Queryable,
  { ownerId, purposes, limit }: Pick<OwnerUploadsQuery, 'ownerId' | 'purposes' | 'limit'>,
): Promise<number> {
  if (purposes.length === 0) return 0;
  const [row] = await q.query<{ count: number }>(
    `select cast(count(*) as bigint) as count from (
       select 1 from uploads where owner_id = $1 and state = 'stored'
         and purpose in ${inList(purposes.length, 3)} limit $2) as counted`,
    [ownerId, limit, ...purposes],
  );
  return row?.count ?? 0;
}

/** Enough for most evictions. */
const FIRST_PAGE = 20;
const PAGE = 200;

/**
 * Yields stored uploads of an owner, in the order of their reservations. Ids contain the second of the reservation. Uploads of one
 * second are sorted only within one page.
 */
export async function* oldestUploads(
  q: Queryable,
  ownerId: number,
  purposes: readonly string[],
): AsyncGenerator<UploadRow, void> {
  let after = '';
  for (let limit = FIRST_PAGE; ; limit = PAGE) {
    const page = await listOwnerUploads(q, { ownerId, purposes, after, limit });
    yield* page.toSorted((a, b) => a.created_at - b.created_at);
    const last = page.at(-1);
    if (!last || page.length < limit) return;
    after = last.id;
  }
}
