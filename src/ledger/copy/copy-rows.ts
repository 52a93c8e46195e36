import type { UploadState } from '../../base/upload-records.ts';
import {
  type CopiedRow,
  type CopiedTable,
  type KeyedRows,
  PRIMARY_KEYS,
  type RowKey,
  type RowRange,
  rowKey,
} from '../contract/copy.ts';
import { chunks, inList, insertMany, type Queryable, type SqlValue, tuple } from '../sql/database.ts';
import { addPendingDeletes, deleteUploads } from '../sql/remove.ts';

interface TableColumns {
  /** All columns but the primary key. */
  readonly columns: readonly string[];
  /** Summed up by `rangeDigest`. Every change of a row changes one of them. */
  readonly sums: readonly string[];
  /** Columns with a unique index. */
  readonly unique?: readonly string[];
}

const COUNTERS = ['uploads', 'bytes', 'pending_uploads', 'pending_bytes'];
const UPLOAD_COLUMNS =
  `locator put_key owner_id endpoint purpose name type size state blob unpublished_blob created_at deadline stored_at expires_at claim_token
  instance claimed_at may_have_bytes reserved_by_put rate_buckets sha256 scan resource_key received stop_requested`.split(
    /\s+/,
  );
const REMOVAL_COLUMNS = 'owner_id endpoint name size was_stored created_at reason detail tombstone'.split(
  ' ',
);

const TABLES: Readonly<Record<CopiedTable, TableColumns>> = {
  owners: {
    columns: ['name', 'sha1', ...COUNTERS, 'last_upload_at'],
    sums: [...COUNTERS, 'last_upload_at', 'length(name)'],
    unique: ['name'],
  },
  owner_purposes: { columns: ['bytes', 'pending_bytes'], sums: ['bytes', 'pending_bytes'] },
  uploads: {
    columns: UPLOAD_COLUMNS,
    sums: 'size created_at deadline stored_at expires_at owner_id may_have_bytes received length(state) length(sha256)'.split(
      ' ',
    ),
    unique: ['locator', 'put_key', 'resource_key'],
  },
  upload_rates: {
    columns: ['last_at', 'ends_at', 'uploads', 'bytes'],
    sums: ['last_at', 'uploads', 'bytes'],
  },
  removals: {
    columns: REMOVAL_COLUMNS,
    sums: ['owner_id', 'created_at', 'size', 'length(name)', 'length(detail)'],
  },
  old_paths: { columns: ['namespace'], sums: ['length(namespace)'] },
  pending_deletes: { columns: ['attempts', 'retry_at', 'last_error'], sums: ['length(blob)'] },
  totals: { columns: ['owners', 'removals', ...COUNTERS], sums: ['owners', 'removals', ...COUNTERS] },
  queues: { columns: ['item_count', 'last_id'], sums: ['item_count', 'last_id'] },
  queue_items: {
    columns: ['owner', 'body', 'queued_at', 'give_up_at'],
    sums: ['queued_at', 'length(owner)'],
  },
  queue_keys: {
    columns: ['first_id', 'attempts', 'ready_at', 'taken_by'],
    sums: ['first_id', 'attempts', 'ready_at'],
  },
  idempotency_keys: {
    columns: ['request_digest', 'response', 'instance', 'started_at', 'expires_at'],
    sums: ['started_at', 'expires_at', 'length(response)'],
  },
  message_rates: { columns: ['buckets', 'ends_at'], sums: ['ends_at', 'length(buckets)'] },
  web_tokens: {
    columns: 'secret_hash jid name scopes created_at last_used_at expires_at'.split(' '),
    sums: ['created_at', 'last_used_at'],
    unique: ['secret_hash'],
  },
  guest_links: {
    columns: 'secret_hash jid note max_bytes max_files used_bytes used_files created_at expires_at'.split(
      ' ',
    ),
    sums: ['used_bytes', 'used_files'],
    unique: ['secret_hash'],
  },
  usage_history: { columns: ['files', 'bytes'], sums: ['files', 'bytes'] },
  daily_counts: {
    columns: ['uploads', 'downloads', 'refusals'],
    sums: ['uploads', 'downloads', 'refusals'],
  },
  hook_calls: { columns: ['at', 'status', 'address', 'program', 'refusal'], sums: ['at', 'status'] },
  blocked_hashes: { columns: ['reason', 'blocked_by', 'blocked_at', 'size'], sums: ['blocked_at'] },
  audit: {
    columns: 'at actor address action subject files bytes'.split(' '),
    sums: ['at', 'length(actor)', 'length(subject)'],
  },
};

/** Columns of `pending_deletes` that are reset, because a deletion that failed in the old store may succeed in the new one. */
const PENDING_DELETES: Readonly<Record<string, string>> = {
  attempts: '0 as attempts',
  retry_at: '0 as retry_at',
  last_error: 'null as last_error',
};

/**
 * Columns that are not copied as they are. Processes are not copied, so their claims are backdated and can be taken over. The
 * copy writes files under their public names.
 */
const EXPORTED: Readonly<Record<string, string>> = {
  taken_by: 'null as taken_by',
  unpublished_blob: 'null as unpublished_blob',
  claimed_at: 'case when claimed_at is null then null else 0 end as claimed_at',
};

function exported(table: CopiedTable, column: string): string {
  return (table === 'pending_deletes' ? PENDING_DELETES[column] : EXPORTED[column]) ?? column;
}

/** Returns all columns of a table, the primary key first. */
export const copiedColumns = (table: CopiedTable) => [...PRIMARY_KEYS[table], ...TABLES[table].columns];
const selectRows = (table: CopiedTable) =>
  `select ${copiedColumns(table)
    .map((column) => exported(table, column))
    .join(', ')} from ${table}`;

/** Formats a range as ` where …`, or as an empty string if it is unlimited. Parameters are numbered from `$1`. */
function whereInRange({ table, after, upTo }: RowRange): { where: string; params: SqlValue[] } {
  const params: SqlValue[] = [];
  const compare = (operator: string, key: RowKey) =>
    `${tuple(PRIMARY_KEYS[table])} ${operator} ${tuple(key.map((value) => `$${params.push(value)}`))}`;
  const terms = [after && compare('>', after), upTo && compare('<=', upTo)].filter((term) => term !== null);
  return { where: terms.length === 0 ? '' : ` where ${terms.join(' and ')}`, params };
}

/** Implements `CopyStore.findRangeEnd`. */
export async function findRangeEnd(
  q: Queryable,
  range: Omit<RowRange, 'upTo'> & { readonly rows: number },
): Promise<RowKey | null> {
  const { table, after, rows } = range;
  const { where, params } = whereInRange({ table, after, upTo: null });
  const key = PRIMARY_KEYS[table].join(', ');
  const [row] = await q.query<CopiedRow>(
    `select ${key} from ${table}${where} order by ${key} limit 1 offset $${params.length + 1}`,
    [...params, rows - 1],
  );
  return row ? rowKey(table, row) : null;
}

/** Implements `CopyStore.rangeDigest`. */
export async function rangeDigest(q: Queryable, range: RowRange): Promise<string> {
  const { where, params } = whereInRange(range);
  const sums = TABLES[range.table].sums.map((column) => `coalesce(cast(sum(${column}) as text), '')`);
  const [row] = await q.query<{ digest: string }>(
    `select ${['count(*)', ...sums].join(" || ':' || ")} as digest from ${range.table}${where}`,
    params,
  );
  return row?.digest ?? '';
}

/** Implements `CopyStore.readRowRange`. */
export async function readRowRange(q: Queryable, range: RowRange): Promise<CopiedRow[]> {
  const { where, params } = whereInRange(range);
  return await toPlainRows(
    q.query(`${selectRows(range.table)}${where} order by ${PRIMARY_KEYS[range.table].join(', ')}`, params),
  );
}

/** Copies rows to plain objects, because rows of SQLite have a null prototype. */
async function toPlainRows(rows: Promise<CopiedRow[]>): Promise<CopiedRow[]> {
  return (await rows).map((row) => ({ ...row }));
}

/** Implements `CopyStore.readRowsByKey`. */
export async function readRowsByKey(q: Queryable, { table, keys }: KeyedRows): Promise<CopiedRow[]> {
  const found: CopiedRow[] = [];
  for (const chunk of chunks(keys)) {
    found.push(
      ...(await toPlainRows(
        q.query(`${selectRows(table)} where ${keyIn(table, chunk.length)}`, chunk.flat()),
      )),
    );
  }
  return found;
}

/** Formats a condition that selects `count` keys. */
function keyIn(table: CopiedTable, count: number): string {
  const [first = '', ...more] = PRIMARY_KEYS[table];
  if (more.length === 0) return `${first} in ${inList(count)}`;
  const one = (at: number) =>
    PRIMARY_KEYS[table].map((column, i) => `${column} = $${at + i + 1}`).join(' and ');
  return Array.from({ length: count }, (_, i) => `(${one(i * PRIMARY_KEYS[table].length)})`).join(' or ');
}

/** Implements `CopyStore.upsertRows`. */
export async function upsertRows(
  q: Queryable,
  { table, rows }: { table: CopiedTable; rows: readonly CopiedRow[] },
): Promise<void> {
  for (const column of TABLES[table].unique ?? []) await deleteConflicting(q, table, column, rows);
  const columns = copiedColumns(table);
  const sets = TABLES[table].columns.map((column) => `${column} = excluded.${column}`).join(', ');
  const tail = `on conflict (${PRIMARY_KEYS[table].join(', ')}) do ${sets === '' ? 'nothing' : `update set ${sets}`}`;
  const values = rows.map((row) => columns.map((column) => row[column] ?? null));
  await insertMany(q, { table, columns, tail }, values);
}

/** Deletes rows that have a unique value of the given rows under another key. The source ledger has deleted or renamed them. */
async function deleteConflicting(
  q: Queryable,
  table: CopiedTable,
  column: string,
  rows: readonly CopiedRow[],
): Promise<void> {
  const [key = ''] = PRIMARY_KEYS[table];
  const keyByValue = new Map(rows.map((row) => [row[column] ?? null, row[key]]));
  keyByValue.delete(null);
  for (const chunk of chunks([...keyByValue.keys()])) {
    const existing = await q.query<CopiedRow>(
      `select ${key}, ${column} from ${table} where ${column} in ${inList(chunk.length)}`,
      chunk,
    );
    const conflicting = existing.filter((row) => keyByValue.get(row[column] ?? null) !== row[key]);
    await deleteRows(q, { table, keys: conflicting.map((row) => rowKey(table, row)) });
  }
}

/** Implements `CopyStore.deleteRows`. */
export async function deleteRows(q: Queryable, { table, keys }: KeyedRows): Promise<void> {
  if (table === 'uploads') {
    await addPendingDeletes(q, await deleteUploads(q, keys.map(String)));
    return;
  }
  for (const chunk of chunks(keys)) {
    await q.query(`delete from ${table} where ${keyIn(table, chunk.length)}`, chunk.flat());
  }
}

/** Implements `CopyStore.countRows`. */
export async function countRows(
  q: Queryable,
  { table, state }: { table: CopiedTable; state?: UploadState },
): Promise<number> {
  const where = state === undefined ? '' : ' where state = $1';
  const params = state === undefined ? [] : [state];
  const [row] = await q.query<{ count: number }>(`select count(*) as count from ${table}${where}`, params);
  return row?.count ?? 0;
}

/** Implements `CopyStore.findWrongCounters`. */
export async function findWrongCounters(q: Queryable, range: Omit<RowRange, 'table'>): Promise<string[]> {
  const { where, params } = whereInRange({ table: 'owners', ...range });
  const rows = await q.query<{ name: string }>(
    `select name from (select id, name, uploads, bytes from owners${where}) as part where (uploads, bytes) <> (
       select count(*), coalesce(sum(size), 0) from uploads where owner_id = part.id and state = 'stored')`,
    params,
  );
  return rows.map(({ name }) => name);
}
