/** What SQL takes and gives here: whole numbers within 2^53, text, null. */
export type SqlValue = string | number | null;

/** Runs one statement with `$1`, `$2`, … as parameters; both engines read the same text. */
export interface Queryable {
  query<Row = Record<string, SqlValue>>(sql: string, params?: readonly SqlValue[]): Promise<Row[]>;
}

/**
 * `lazy`: a power cut may take it back, though never without what was committed after it. For what costs nobody more
 * than asking again; it spares a flush of the disk.
 */
export type Durability = 'durable' | 'lazy';

/**
 * Under which standing of the ledger (see `MigrationState`) work may be done; under others it ends with
 * `LedgerError('moved')`. `open_or_closing`: it only ends what was begun before.
 */
export type AllowedIn = 'open' | 'open_or_closing' | 'importing' | 'always';

/**
 * The narrow seam under the ledger. A bare `query` sees what was committed last and waits for no writer.
 * Failures are `LedgerError`s.
 */
export interface Database extends Queryable {
  /** All of `work` or nothing of it; resolves once it is durable. `work` may run again where an engine asks for it. */
  transaction<T>(work: (q: Queryable) => Promise<T>, durability?: Durability, admits?: AllowedIn): Promise<T>;
  /** The same while no other work is under way but such as is always admitted; what comes meanwhile waits. */
  exclusive<T>(work: (q: Queryable) => Promise<T>): Promise<T>;
  close(): Promise<void>;
}

/** `($1, $2, $3)` for lists: `inList(3)`, or `inList(3, 2)` to start with `$2`. */
export function inList(count: number, from = 1): string {
  return `(${Array.from({ length: count }, (_, i) => `$${from + i}`).join(', ')})`;
}

const LARGEST_CHUNK = 256;

/**
 * Cuts a list into chunks whose lengths are powers of two, so that statements with lists in them come in few
 * shapes and stay prepared.
 */
export function chunks<T>(items: readonly T[]): T[][] {
  const cut: T[][] = [];
  let at = 0;
  for (let size = LARGEST_CHUNK; at < items.length; size /= 2) {
    for (; items.length - at >= size; at += size) cut.push(items.slice(at, at + size));
  }
  return cut;
}

/** Inserts many rows in few statements; `tail` follows the values (`on conflict do nothing returning id`). */
export async function insertMany<Row = Record<string, SqlValue>>(
  q: Queryable,
  into: { table: string; columns: readonly string[]; tail?: string },
  rows: readonly (readonly SqlValue[])[],
): Promise<Row[]> {
  const { table, columns, tail = '' } = into;
  const answers: Row[] = [];
  for (const chunk of chunks(rows)) {
    const values = chunk.map((_, i) => inList(columns.length, 1 + i * columns.length)).join(', ');
    const sql = `insert into ${table} (${columns.join(', ')}) values ${values} ${tail}`;
    answers.push(...(await q.query<Row>(sql, chunk.flat())));
  }
  return answers;
}
