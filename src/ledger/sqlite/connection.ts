import { DatabaseSync, type StatementSync } from 'node:sqlite';
import type { Durability, Queryable, SqlValue } from '../sql/database.ts';
import { fromSqliteError, isBusy } from './sqlite-error.ts';

export interface SqliteOptions {
  readonly file: string;
  /** True: a commit is on disk when it is acknowledged. */
  readonly sync: boolean;
}

interface Prepared {
  readonly statement: StatementSync;
  /** Which of the given parameters goes to each `?`. */
  readonly order: readonly number[];
}

/** Milliseconds that another program may hold the database before a write of ours gives up. */
const PATIENCE = 60_000;
/** Fills only as far as the ledger is large: the upper levels of all indexes over ten million uploads, and 100,000 owners. */
const CACHE_KIB = 64 * 1024;
/** Pages that the log gathers before they are carried over: many rows change the same page meanwhile. */
const CHECKPOINT_PAGES = 8000;

/** One connection to an SQLite file, with prepared statements kept. Its answers are there when a call returns. */
export class SqliteConnection implements Queryable {
  readonly #db: DatabaseSync;
  readonly #prepared = new Map<string, Prepared>();
  readonly #sync: boolean;
  #flushes: boolean;
  #patient = true;

  /** @throws LedgerError */
  constructor({ file, sync }: SqliteOptions) {
    this.#sync = sync;
    this.#flushes = sync;
    this.#db = attempt(() => new DatabaseSync(file, { timeout: PATIENCE }));
    try {
      this.exec('pragma journal_mode = wal');
      this.exec(`pragma synchronous = ${sync ? 'full' : 'normal'}`);
      this.exec(`pragma cache_size = -${CACHE_KIB}`);
      this.exec(`pragma wal_autocheckpoint = ${CHECKPOINT_PAGES}`);
      this.exec('pragma journal_size_limit = 67108864');
    } catch (fault) {
      this.#db.close();
      throw fault;
    }
  }

  async query<Row = Record<string, SqlValue>>(sql: string, params: readonly SqlValue[] = []): Promise<Row[]> {
    return attempt(() => {
      const { statement, order } = this.#prepare(sql);
      // The one place where rows get their types: what SQL gives is not checked again.
      return statement.all(...order.map((i) => params[i] ?? null)) as Row[];
    });
  }

  #prepare(sql: string): Prepared {
    const known = this.#prepared.get(sql);
    if (known) return known;
    const order: number[] = [];
    const text = sql.replace(/\$(\d+)/g, (_, number: string) => {
      order.push(Number(number) - 1);
      return '?';
    });
    const prepared = { statement: this.#db.prepare(text), order };
    this.#prepared.set(sql, prepared);
    return prepared;
  }

  exec(sql: string): void {
    attempt(() => this.#db.exec(sql));
  }

  /** Starts a transaction that may write; waits for as long as another program holds the database. */
  begin(durability: Durability): void {
    this.#flush(this.#sync && durability === 'durable');
    const deadline = Date.now() + PATIENCE;
    // From here on the waiting is done below.
    if (this.#patient) this.exec('pragma busy_timeout = 0');
    this.#patient = false;
    attempt(() => {
      while (!this.#tryBegin(deadline)) pause();
    });
  }

  /** In WAL mode `full` flushes at each commit, everything committed before it included; `normal` at checkpoints. */
  #flush(flushes: boolean): void {
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
}

const nap = new Int32Array(new SharedArrayBuffer(4));

/**
 * SQLite itself waits longer and longer, up to 100 ms, and hardly ever wins against a program that writes all the
 * time. This thread has nothing else to do.
 */
function pause(): void {
  Atomics.wait(nap, 0, 0, 1 + Math.random());
}

function attempt<T>(work: () => T): T {
  try {
    return work();
  } catch (error) {
    throw fromSqliteError(error);
  }
}
