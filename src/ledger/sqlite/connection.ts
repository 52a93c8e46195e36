import { DatabaseSync, type StatementSync } from 'node:sqlite';
import type { Durability, Queryable, SqlValue } from '../sql/database.ts';
import { fromSqliteError, isBusy } from './sqlite-error.ts';

export interface SqliteOptions {
  readonly file: string;
  /** Flushes each durable commit to the disk before it is acknowledged. */
  readonly sync: boolean;
}

/** https://sqlite.org/lang_datefunc.html. `unixepoch` returns seconds. */
export const SQLITE_NOW = "cast(round(unixepoch('now', 'subsec') * 1000) as integer)";

interface Prepared {
  readonly statement: StatementSync;
  /** Index of the parameter for each `?`. Undefined if the parameters are bound in their order, each once. */
  readonly parameterOrder: readonly number[] | undefined;
}

/** How long a write waits while another program holds the database. */
const BUSY_TIMEOUT_MS = 60_000;
/** Enough for the upper levels of all indexes of ten million uploads, and for 100,000 owners. SQLite allocates it as needed. */
const CACHE_KIB = 64 * 1024;
/** Pages in the WAL before a checkpoint. Many changes of one page then cost one write. */
const CHECKPOINT_PAGES = 8000;

/** A connection to an SQLite file, with a cache of prepared statements. It works synchronously: promises are resolved at once. */
export class SqliteConnection implements Queryable {
  readonly nowSql = SQLITE_NOW;
  readonly isConcurrent = false;
  readonly #db: DatabaseSync;
  readonly #prepared = new Map<string, Prepared>();
  readonly #sync: boolean;
  readonly #file: string;
  /** Whether `pragma synchronous` is `full` now. */
  #flushes: boolean;
  #usesBusyTimeout = true;

  /** @throws LedgerError */
  constructor({ file, sync }: SqliteOptions) {
    this.#sync = sync;
    this.#file = file;
    this.#flushes = sync;
    this.#db = this.#attempt(() => new DatabaseSync(file, { timeout: BUSY_TIMEOUT_MS }));
    try {
      this.exec('pragma journal_mode = wal');
      this.exec(`pragma synchronous = ${sync ? 'full' : 'normal'}`);
      this.exec(`pragma cache_size = -${CACHE_KIB}`);
      this.exec(`pragma wal_autocheckpoint = ${CHECKPOINT_PAGES}`);
      this.exec('pragma journal_size_limit = 67108864');
    } catch (error) {
      this.#db.close();
      throw error;
    }
  }

  async query<Row = Record<string, SqlValue>>(sql: string, params: readonly SqlValue[] = []): Promise<Row[]> {
    return this.#attempt(() => {
      const { statement, parameterOrder } = this.#prepare(sql);
      // The caller states the type of the rows. It is not checked at run time.
      return statement.all(...inOrder(params, parameterOrder)) as Row[];
    });
  }

  async execute(sql: string, params: readonly SqlValue[] = []): Promise<number> {
    return this.#attempt(() => {
      const { statement, parameterOrder } = this.#prepare(sql);
      return Number(statement.run(...inOrder(params, parameterOrder)).changes);
    });
  }

  #prepare(sql: string): Prepared {
    const cached = this.#prepared.get(sql);
    if (cached) return cached;
    const parameterOrder: number[] = [];
    const text = sql.replace(/\$(\d+)/g, (_, number: string) => {
      parameterOrder.push(Number(number) - 1);
      return '?';
    });
    const isInOrder = parameterOrder.every((parameter, i) => parameter === i);
    const prepared = {
      statement: this.#db.prepare(text),
      parameterOrder: isInOrder ? undefined : parameterOrder,
    };
    this.#prepared.set(sql, prepared);
    return prepared;
  }

  exec(sql: string): void {
    this.#attempt(() => this.#db.exec(sql));
  }

  /** Runs a statement without a result. It is prepared once. */
  run(sql: string): void {
    this.#attempt(() => this.#prepare(sql).statement.run());
  }

  /** Starts a write transaction. Waits up to 60 s while another program holds the database. */
  begin(durability: Durability): void {
    this.#setFlush(this.#sync && durability === 'durable');
    const deadline = Date.now() + BUSY_TIMEOUT_MS;
    // The loop below replaces the busy timeout of SQLite; see `pause`.
    if (this.#usesBusyTimeout) this.exec('pragma busy_timeout = 0');
    this.#usesBusyTimeout = false;
    this.#attempt(() => {
      while (!this.#tryBegin(deadline)) pause();
    });
  }

  /** In WAL mode, `full` flushes the WAL at each commit, earlier commits included. `normal` flushes at checkpoints only. */
  #setFlush(flushes: boolean): void {
    if (flushes === this.#flushes) return;
    this.exec(`pragma synchronous = ${flushes ? 'full' : 'normal'}`);
    this.#flushes = flushes;
  }

  #tryBegin(deadline: number): boolean {
    try {
      this.#db.exec('begin immediate');
      return true;
    } catch (error) {
      if (isBusy(error) && Date.now() < deadline) return false;
      throw error;
    }
  }

  get inTransaction(): boolean {
    return this.#db.isTransaction;
  }

  close(): void {
    this.#db.close();
  }

  #attempt<T>(work: () => T): T {
    try {
      return work();
    } catch (error) {
      throw fromSqliteError(error, this.#file);
    }
  }
}

/** Returns the value for each `?`. */
const inOrder = (params: readonly SqlValue[], order: readonly number[] | undefined) =>
  order === undefined ? params : order.map((i) => params[i] ?? null);

const sleepCell = new Int32Array(new SharedArrayBuffer(4));

/**
 * Blocks this thread for 1 to 2 ms. The busy handler of SQLite sleeps up to 100 ms, and so rarely gets the lock from a program
 * that writes all the time. The thread runs the ledger only, so blocking it is harmless.
 */
function pause(): void {
  Atomics.wait(sleepCell, 0, 0, 1 + Math.random());
}
