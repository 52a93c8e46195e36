import { idTimePrefix } from '../../../base/ids.ts';
import type { Upload } from '../../../base/upload-records.ts';
import {
  type FileListPage,
  type FileQuery,
  LARGE_FILE_BYTES,
  type PageKey,
  SCANNED_ROWS,
  type UserPage,
  type UserQuery,
} from '../../contract/files.ts';
import { inList, type Queryable, type SqlValue } from '../database.ts';
import { toUpload, type UploadRowWithOwner } from '../rows.ts';

/** A condition with one `?` per value. */
type Condition = readonly [sql: string, ...values: SqlValue[]];

interface Scan {
  readonly table: 'uploads' | 'owners';
  /** The rows to examine; they should be a range of an index. */
  readonly range: readonly Condition[];
  /** Expressions of the order. The last one is unique. */
  readonly keys: readonly string[];
  readonly descending: boolean;
  readonly after: PageKey | undefined;
}

/** Collects parameters, and numbers the `?` of conditions. */
class Parameters {
  readonly values: SqlValue[] = [];

  add(value: SqlValue): string {
    return `$${this.values.push(value)}`;
  }

  all(conditions: readonly Condition[]): string {
    const numbered = conditions.map(([sql, ...values]) => {
      const left = [...values];
      return sql.replaceAll('?', () => this.add(left.shift() ?? null));
    });
    return numbered.length === 0 ? 'true' : numbered.join(' and ');
  }
}

const tuple = (items: readonly string[]) => (items.length === 1 ? items.join() : `(${items.join(', ')})`);

function rangeOf({ range, keys, descending, after }: Scan, params: Parameters): string {
  const where = params.all(range);
  if (after === undefined) return where;
  return `${where} and ${tuple(keys)} ${descending ? '<' : '>'} ${tuple(after.map((value) => params.add(value)))}`;
}

const orderBy = ({ keys, descending }: Scan) =>
  keys.map((key) => `${key} ${descending ? 'desc' : 'asc'}`).join(', ');

/**
 * Reads a page. Filters are applied to at most `SCANNED_ROWS` rows, so that the time of a page does not depend on the size of the
 * table. `next` is the key of the last row that was examined.
 */
async function readPage<Row extends object>(
  q: Queryable,
  scan: Scan,
  { select, filters, limit }: { select: string; filters: readonly Condition[]; limit: number },
): Promise<{ rows: Row[]; next: PageKey | null }> {
  const { table, keys } = scan;
  const params = new Parameters();
  const names = keys.map((_, i) => `key${i}`);
  const columns = keys.map((key, i) => `${key} as key${i}`).join(', ');
  const window = `select ${table}.*, ${columns} from ${table} where ${rangeOf(scan, params)} order by ${orderBy(scan)}
    limit ${SCANNED_ROWS}`;
  const rows = await q.query<Row & Record<string, string | number>>(
    `select ${select} from (${window}) as ${table} ${table === 'uploads' ? JOIN_OWNERS : ''}
      where ${params.all(filters)} order by ${orderBy({ ...scan, keys: names })} limit ${params.add(limit)}`,
    params.values,
  );
  const last = rows.at(-1);
  if (rows.length === limit && last) return { rows, next: names.map((name) => last[name] ?? '') };
  return { rows, next: await endOfWindow(q, scan) };
}

const JOIN_OWNERS = 'join owners on owners.id = uploads.owner_id';

/** Returns the key of the last row of a full window; null if the rows end before. */
async function endOfWindow(q: Queryable, scan: Scan): Promise<PageKey | null> {
  const params = new Parameters();
  const columns = scan.keys.map((key, i) => `${key} as key${i}`).join(', ');
  const [end] = await q.query<Record<string, string | number>>(
    `select ${columns} from ${scan.table} where ${rangeOf(scan, params)} order by ${orderBy(scan)}
      limit 1 offset ${SCANNED_ROWS - 1}`,
    params.values,
  );
  return end ? scan.keys.map((_, i) => end[`key${i}`] ?? '') : null;
}

/** Implements `FileStore.listFiles`. */
export async function queryFiles(q: Queryable, query: FileQuery): Promise<FileListPage> {
  const { owners, limit } = query;
  const ownerIds = owners && (await findOwnerIds(q, owners));
  if (ownerIds?.length === 0) return { files: [], next: null };
  const { rows, next } = await readPage<UploadRowWithOwner>(q, scanFor(query, ownerIds), {
    select: 'uploads.*, owners.name as owner',
    filters: filtersOf(query),
    limit,
  });
  return { files: rows.map((row): Upload => toUpload(row, row.owner)), next };
}

export async function findOwnerIds(q: Queryable, names: readonly string[]): Promise<number[]> {
  const rows = await q.query<{ id: number }>(`select id from owners where name in ${inList(names.length)}`, [
    ...names,
  ]);
  return rows.map(({ id }) => id);
}

function scanFor(query: FileQuery, ownerIds: readonly number[] | undefined): Scan {
  const { sort, state, after, createdFrom, createdBefore } = query;
  const range: Condition[] = [];
  if (query.ids) range.push([`id in (${query.ids.map(() => '?').join(', ')})`, ...query.ids]);
  if (ownerIds) range.push([`owner_id in (${ownerIds.map(() => '?').join(', ')})`, ...ownerIds]);
  const isLargeOnly = ownerIds === undefined && (sort === 'largest' || sort === 'smallest');
  // Every id is greater. Without a bound, SQLite reads and sorts all of another index, because that has the columns.
  const isByIdOnly = state === 'stored' && !ownerIds && !isLargeOnly && !query.isUnscanned;
  if (isByIdOnly) range.push(["id >= '0'"]);
  // Partial indexes are only used if the statement contains their conditions literally.
  if (state === 'stored') range.push(["state = 'stored'"]);
  else range.push(["state <> 'stored'"], ['state = ?', state]);
  if (query.isUnscanned) range.push(["scan in ('unavailable', 'too_large')"]);
  if (createdFrom !== undefined) range.push(['id >= ?', idTimePrefix(createdFrom)]);
  if (createdBefore !== undefined) range.push(['id < ?', idTimePrefix(createdBefore + 999)]);
  if (isLargeOnly) range.push([`size >= ${LARGE_FILE_BYTES}`]);
  return {
    table: 'uploads',
    range,
    keys: SORT_KEYS[sort],
    descending: sort === 'newest' || sort === 'largest',
    after,
  };
}

const SORT_KEYS = {
  newest: ['id'],
  oldest: ['id'],
  largest: ['size', 'id'],
  smallest: ['size', 'id'],
  name: ['lower(name)', 'id'],
} as const;

function filtersOf({ text, type, minSize, maxSize, createdFrom, createdBefore }: FileQuery): Condition[] {
  const filters: Condition[] = [];
  if (text !== undefined) {
    const pattern = `%${escapeLike(text)}%`;
    filters.push([
      "(lower(uploads.name) like ? escape '!' or uploads.name like ? escape '!')",
      pattern.toLowerCase(),
      pattern,
    ]);
  }
  if (type !== undefined)
    filters.push(["uploads.type like ? escape '!'", `${escapeLike(type.toLowerCase())}%`]);
  if (minSize !== undefined) filters.push(['uploads.size >= ?', minSize]);
  if (maxSize !== undefined) filters.push(['uploads.size <= ?', maxSize]);
  if (createdFrom !== undefined) filters.push(['uploads.created_at >= ?', createdFrom]);
  if (createdBefore !== undefined) filters.push(['uploads.created_at < ?', createdBefore]);
  return filters;
}

const escapeLike = (text: string) => text.replace(/[!%_]/g, '!$&');

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
  const isBySize = sort === 'largest';
  const filters: Condition[] = [['owners.uploads + owners.pending_uploads > 0']];
  if (prefix !== undefined) filters.push(["owners.name like ? escape '!'", `${escapeLike(prefix)}%`]);
  const { rows, next } = await readPage<UserRow>(
    q,
    { table: 'owners', range: [], keys: isBySize ? ['bytes', 'id'] : ['name'], descending: isBySize, after },
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
