import { idTimePrefix } from '../../../base/ids.ts';
import type { Upload } from '../../../base/upload-records.ts';
import {
  type FileListPage,
  type FileQuery,
  LARGE_FILE_BYTES,
  type PageKey,
  SCANNED_ROWS,
  SORTED_FILES,
} from '../../contract/files.ts';
import { formatList, inList, type Queryable, type SqlValue, tuple } from '../database.ts';
import { toUpload, type UploadRowWithOwner } from '../rows.ts';

/** A condition with one `?` per value. */
export type Condition = readonly [sql: string, ...values: SqlValue[]];

interface Scan {
  readonly table: 'uploads' | 'owners';
  /** Alternatives without common rows. Each should be a range of an index. */
  readonly ranges: readonly (readonly Condition[])[];
  /** Expressions of the order. The last one is unique. */
  readonly keys: readonly string[];
  readonly descending: boolean;
  readonly after: PageKey | undefined;
  /** The ranges are in the order of an index. Otherwise they are short enough to be sorted as a whole. */
  readonly isIndexed: boolean;
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

const orderBy = ({ descending }: Scan, keys: readonly string[]) =>
  keys.map((key) => `${key} ${descending ? 'desc' : 'asc'}`).join(', ');

const namesOf = ({ keys }: Scan) => keys.map((_, i) => `key${i}`);

/** Returns the statement that reads the next `size` rows of a scan, with their keys. */
function windowSql(scan: Scan, params: Parameters, columns: string, size: number | null): string {
  const { table, ranges, keys, descending, after } = scan;
  const values = after?.map((value) => params.add(value));
  const page = values && `${tuple(keys)} ${descending ? '<' : '>'} ${tuple(values)}`;
  const selected = [columns, ...keys.map((key, i) => `${key} as key${i}`)].filter((part) => part !== '');
  const limit = size === null ? '' : ` limit ${size}`;
  const parts = ranges.map(
    (range) => `select ${selected.join(', ')} from ${table}
      where ${[params.all(range), ...(page === undefined ? [] : [page])].join(' and ')}
      order by ${orderBy(scan, keys)}${limit}`,
  );
  if (parts.length === 1) return parts.join();
  // With the inner limits, the engines read each range in order only as far as needed.
  return `${parts.map((part, i) => `select * from (${part}) as part${i}`).join(' union all ')}
    order by ${orderBy(scan, namesOf(scan))}${limit}`;
}

interface Selection {
  readonly select: string;
  readonly filters: readonly Condition[];
  readonly limit: number;
}

/**
 * Sizes in rows of the windows to which a filter is applied, one after the other. If many rows match, few are read. A single
 * statement with both the filter and the order could read the whole table for one page.
 */
const WINDOWS = [500, 2_000, SCANNED_ROWS - 2_500];

/**
 * Reads a page. Filters are applied to at most `SCANNED_ROWS` rows, so that the time of a page does not depend on the size of the
 * table. `next` is the key of the last row that was examined.
 */
export async function readPage<Row extends object>(
  q: Queryable,
  scan: Scan,
  selection: Selection,
): Promise<{ rows: Row[]; next: PageKey | null }> {
  const { filters, limit } = selection;
  const rows: Row[] = [];
  const windows = scan.isIndexed ? (filters.length === 0 ? [limit] : WINDOWS) : [null];
  let { after } = scan;
  for (const size of windows) {
    const from = { ...scan, after };
    const found = await readWindow<Row>(q, from, { ...selection, limit: limit - rows.length }, size);
    rows.push(...found.map(({ row }) => row));
    const last = found.at(-1);
    if (last && rows.length === limit) return { rows, next: last.key };
    const end = size === null || filters.length === 0 ? null : await endOfWindow(q, from, size);
    if (end === null) return { rows, next: null };
    after = end;
  }
  return { rows, next: after ?? null };
}

async function readWindow<Row extends object>(
  q: Queryable,
  scan: Scan,
  { select, filters, limit }: Selection,
  size: number | null,
): Promise<{ row: Row; key: PageKey }[]> {
  const { table } = scan;
  const params = new Parameters();
  const window = windowSql(scan, params, `${table}.*`, size);
  const names = namesOf(scan);
  const rows = await q.query<Row & Record<string, string | number>>(
    `select ${select}, ${names.join(', ')} from (${window}) as ${table} ${table === 'uploads' ? JOIN_OWNERS : ''}
      where ${params.all(filters)} order by ${orderBy(scan, names)} limit ${params.add(limit)}`,
    params.values,
  );
  return rows.map((row) => ({ row, key: names.map((name) => row[name] ?? '') }));
}

const JOIN_OWNERS = 'join owners on owners.id = uploads.owner_id';

/** Returns the key of the last row of a full window; null if the rows end before. */
async function endOfWindow(q: Queryable, scan: Scan, size: number): Promise<PageKey | null> {
  const params = new Parameters();
  const names = namesOf(scan);
  const [end] = await q.query<Record<string, string | number>>(
    `select ${names.join(', ')} from (${windowSql(scan, params, '', size)}) as ${scan.table}
      order by ${orderBy(scan, names)} limit 1 offset ${size - 1}`,
    params.values,
  );
  return end ? names.map((name) => end[name] ?? '') : null;
}

/** Implements `FileStore.listFiles`. */
export async function queryFiles(q: Queryable, query: FileQuery): Promise<FileListPage> {
  const owners = query.owners && (await findListedOwners(q, query.owners));
  if (owners?.length === 0) return { files: [], next: null };
  const isLargeOnly = isBySize(query) && sumOfUploads(owners) > SORTED_FILES;
  const filters = filtersOf(query);
  if (isLargeOnly && owners) filters.push(conditionOf(owners));
  const { rows, next } = await readPage<UploadRowWithOwner>(q, scanFor(query, owners, isLargeOnly), {
    select: 'uploads.*, owners.name as owner',
    filters,
    limit: query.limit,
  });
  return { files: rows.map((row): Upload => toUpload(row, row.owner)), next };
}

interface ListedOwner {
  readonly id: number;
  readonly uploads: number;
  /** All purposes that its uploads ever had. */
  readonly purposes: readonly string[];
}

async function findListedOwners(q: Queryable, names: readonly string[]): Promise<ListedOwner[]> {
  const rows = await q.query<{ id: number; uploads: number; purpose: string | null }>(
    `select owners.id, owners.uploads, owner_purposes.purpose from owners
      left join owner_purposes on owner_purposes.owner_id = owners.id where owners.name in ${inList(names.length)}`,
    [...names],
  );
  const owners = Map.groupBy(rows, ({ id }) => id);
  return [...owners].map(([id, found]) => ({
    id,
    uploads: found[0]?.uploads ?? 0,
    purposes: ['', ...found.flatMap(({ purpose }) => purpose || [])],
  }));
}

export async function findOwnerIds(q: Queryable, names: readonly string[]): Promise<number[]> {
  const rows = await q.query<{ id: number }>(`select id from owners where name in ${inList(names.length)}`, [
    ...names,
  ]);
  return rows.map(({ id }) => id);
}

const isBySize = ({ sort }: FileQuery) => sort === 'largest' || sort === 'smallest';

/** Infinity for all owners. */
const sumOfUploads = (owners: readonly ListedOwner[] | undefined) =>
  owners?.reduce((sum, { uploads }) => sum + uploads, 0) ?? Number.POSITIVE_INFINITY;

const conditionOf = (owners: readonly ListedOwner[]): Condition => [
  `owner_id in ${formatList(owners.map(() => '?'))}`,
  ...owners.map(({ id }) => id),
];

function scanFor(query: FileQuery, owners: readonly ListedOwner[] | undefined, isLargeOnly: boolean): Scan {
  const { sort, state, after, createdFrom, createdBefore } = query;
  const isById = sort === 'newest' || sort === 'oldest';
  const range: Condition[] = [];
  if (query.ids) range.push([`id in ${formatList(query.ids.map(() => '?'))}`, ...query.ids]);
  // All ids match. Without a bound on the id, SQLite reads and sorts the whole of another index, which has all the columns.
  const isByIdOnly = state === 'stored' && !owners && !isLargeOnly && !query.isUnscanned;
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
    ranges: rangesOfOwners(owners, { isById, isStored: state === 'stored', isLargeOnly }).map((of) => [
      ...range,
      ...of,
    ]),
    keys: SORT_KEYS[sort],
    descending: sort === 'newest' || sort === 'largest',
    after,
    isIndexed: isById || isLargeOnly,
  };
}

/** The indexes by owner are ordered by id within each purpose of stored uploads, and among all other uploads. */
function rangesOfOwners(
  owners: readonly ListedOwner[] | undefined,
  { isById, isStored, isLargeOnly }: { isById: boolean; isStored: boolean; isLargeOnly: boolean },
): Condition[][] {
  if (owners === undefined || isLargeOnly) return [[]];
  if (!isById) return [[conditionOf(owners)]];
  return owners.flatMap(({ id, purposes }): Condition[][] => {
    const owner: Condition = ['owner_id = ?', id];
    return isStored ? purposes.map((purpose): Condition[] => [owner, ['purpose = ?', purpose]]) : [[owner]];
  });
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

export const escapeLike = (text: string) => text.replace(/[!%_]/g, '!$&');
