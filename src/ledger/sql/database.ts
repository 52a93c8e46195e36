/** Parameters and columns: text, null, and whole numbers up to 2^53. */
export type SqlValue = string | number | null;

/** Runs one statement with the parameters `$1`, `$2`, … Both engines run the same SQL text. */
export interface Queryable {
  /** An expression of this engine: its clock in ms since 1970. Evaluated once per statement. */
  readonly nowSql: string;
  /** True if other transactions run at the same time, so that a row must be locked if it may not change before the commit. */
  readonly isConcurrent: boolean;
  query<Row = Record<string, SqlValue>>(sql: string, params?: readonly SqlValue[]): Promise<Row[]>;
  /**
   * Runs one statement without `returning`, and returns how many rows it has changed. SQLite then needs no temporary table for
   * the rows, which costs as much as the change of one row.
   */
  execute(sql: string, params?: readonly SqlValue[]): Promise<number>;
}

/**
 * `lazy`: saves an fsync. A power cut may undo the transaction, but only together with all later ones. For changes that a client
 * can repeat.
 */
export type Durability = 'durable' | 'lazy';

/**
 * The `MigrationState`s in which a transaction is allowed. In others it is rejected with `LedgerError('moved')`.
 * `open_or_closing` is for transactions that finish earlier work.
 */
export type AllowedIn = 'open' | 'open_or_closing' | 'importing' | 'always';

export interface TransactionOptions {
  /** The transaction removes data. On a full disk it may use space that the engine keeps for removals. */
  readonly freesSpace?: boolean;
  /** How long the work is repeated while the database server cannot be reached or is read-only. Default: 10 s. */
  readonly reconnectTimeoutMs?: number;
}

/**
 * One SQL engine. A `query` outside of a transaction reads the latest committed rows and does not wait for writers.
 * Failures are `LedgerError`s.
 */
export interface Database extends Queryable {
  /** Runs `work` in a transaction, and resolves when it is durable. Runs `work` again after a serialization failure or deadlock. */
  transaction<T>(
    work: (q: Queryable) => Promise<T>,
    durability?: Durability,
    allowedIn?: AllowedIn,
    options?: TransactionOptions,
  ): Promise<T>;
  /** Runs `work` while no other transaction runs, except those that are allowed in every state. */
  exclusive<T>(work: (q: Queryable) => Promise<T>): Promise<T>;
  close(): Promise<void>;
}

/** Formats a parameter list: `inList(3)` is `($1, $2, $3)`, `inList(3, 2)` is `($2, $3, $4)`. */
export function inList(count: number, from = 1): string {
  return formatList(Array.from({ length: count }, (_, i) => `$${from + i}`));
}

/** Formats the list of an `in` condition. The empty list contains no value: PostgreSQL does not accept `()`. */
export const formatList = (items: readonly string[]) => `(${items.join(', ') || 'null'})`;

/** Formats expressions for a comparison in the order of the list: `(a, b)`, or `a` if there is only one. */
export const tuple = (items: readonly string[]) =>
  items.length === 1 ? items.join() : `(${items.join(', ')})`;

const LARGEST_CHUNK = 256;

/** Splits a list into chunks whose lengths are powers of two, so that few different statements are prepared. */
export function chunks<T>(items: readonly T[]): T[][] {
  const result: T[][] = [];
  let at = 0;
  for (let size = LARGEST_CHUNK; at < items.length; size /= 2) {
    for (; items.length - at >= size; at += size) result.push(items.slice(at, at + size));
  }
  return result;
}

/** Inserts many rows with few statements. `tail` follows the values (`on conflict do nothing returning id`). */
export async function insertMany<Row = Record<string, SqlValue>>(
  q: Queryable,
  into: { table: string; columns: readonly string[]; tail?: string },
  rows: readonly (readonly SqlValue[])[],
): Promise<Row[]> {
  const { table, columns, tail = '' } = into;
  const returned: Row[] = [];
  for (const chunk of chunks(rows)) {
    const values = chunk.map((_, i) => inList(columns.length, 1 + i * columns.length)).join(', ');
    const sql = `insert into ${table} (${columns.join(', ')}) values ${values} ${tail}`;
    returned.push(...(await q.query<Row>(sql, chunk.flat())));
  }
  return returned;
}
