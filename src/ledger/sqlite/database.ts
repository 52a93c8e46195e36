import { LedgerError } from '../contract/ledger.ts';
import type { AllowedIn, Database, Durability, Queryable, SqlValue } from '../sql/database.ts';
import { migrate, readMigrations } from '../sql/migrate.ts';
import { migrationStateError, readMigrationState } from '../sql/migration-state.ts';
import { SqliteConnection, type SqliteOptions } from './connection.ts';

/** Transactions that share one commit at most, so that none waits long for the others. */
const BATCH = 128;

/** A transaction that waits for its turn. `run` does its work and returns what to do once it is committed. */
interface Waiting {
  run(q: Queryable): Promise<() => void>;
  readonly durability: Durability;
  readonly admits: AllowedIn;
  reject(reason: unknown): void;
}

/**
 * SQLite with group commit: all transactions that wait run in one, each under a savepoint of its own, so that one
 * that fails doesn't touch the others, and one fsync is enough for all. None is acknowledged before it; a batch in which
 * nothing has to be durable needs none.
 * Blocks its thread while it works; `sqlite.ts` gives it one.
 */
export class SqliteDatabase implements Database {
  readonly #options: SqliteOptions;
  #writer: SqliteConnection | undefined;
  #reader: SqliteConnection | undefined;
  #waiting: Waiting[] = [];
  #running: Promise<void> | undefined;
  #closed = false;

  constructor(options: SqliteOptions) {
    this.#options = options;
  }

  /** Brings the schema up to date. @throws LedgerError */
  async migrate(): Promise<void> {
    const migrations = await readMigrations();
    await this.transaction((q) => migrate(q, migrations), 'durable', 'always');
  }

  async query<Row = Record<string, SqlValue>>(sql: string, params?: readonly SqlValue[]): Promise<Row[]> {
    this.#checkOpen();
    this.#reader ??= new SqliteConnection(this.#options);
    return await this.#reader.query<Row>(sql, params);
  }

  async transaction<T>(
    work: (q: Queryable) => Promise<T>,
    durability: Durability = 'durable',
    admits: AllowedIn = 'open',
  ): Promise<T> {
    this.#checkOpen();
    return await new Promise<T>((resolve, reject) => {
      const run = async (q: Queryable) => {
        const result = await work(q);
        return () => resolve(result);
      };
      this.#waiting.push({ run, durability, admits, reject });
      this.#running ??= this.#runLater();
    });
  }

  /** Every transaction is alone with the file. */
  exclusive<T>(work: (q: Queryable) => Promise<T>): Promise<T> {
    return this.transaction(work, 'durable', 'always');
  }

  /** After what is waiting is done. */
  async close(): Promise<void> {
    this.#closed = true;
    while (this.#running !== undefined) await this.#running;
    this.#reader?.close();
    this.#writer?.close();
    this.#reader = undefined;
    this.#writer = undefined;
  }

  #checkOpen(): void {
    if (this.#closed) throw new LedgerError('closed', 'The ledger is closed.');
  }

  async #runLater(): Promise<void> {
    // Whatever else has arrived by now comes along.
    await new Promise((resolve) => setImmediate(resolve));
    const batch = this.#waiting.splice(0, BATCH);
    try {
      this.#writer ??= new SqliteConnection(this.#options);
      await commitTogether(this.#writer, batch);
    } catch (fault) {
      for (const { reject } of batch) reject(fault);
    }
    this.#running = this.#waiting.length > 0 ? this.#runLater() : undefined;
  }
}

/** Rejects where the commit fails; then nothing of the batch has happened. */
async function commitTogether(connection: SqliteConnection, batch: readonly Waiting[]): Promise<void> {
  const outcomes: (() => void)[] = [];
  connection.begin(batch.some(({ durability }) => durability === 'durable') ? 'durable' : 'lazy');
  try {
    for (const waiting of batch) outcomes.push(await runAlone(connection, waiting));
    connection.exec('commit');
  } catch (fault) {
    if (connection.inTransaction) connection.exec('rollback');
    throw fault;
  }
  for (const tell of outcomes) tell();
}

/** Asked inside the transaction: nobody changes the answer before it ends. */
async function checkAdmission(connection: SqliteConnection, admits: AllowedIn): Promise<void> {
  const refusal =
    admits === 'always' ? undefined : migrationStateError(await readMigrationState(connection), admits);
  if (refusal) throw refusal;
}

/** Rejects only where the whole transaction is lost: a full disk makes SQLite roll back all of it. */
async function runAlone(connection: SqliteConnection, waiting: Waiting): Promise<() => void> {
  connection.exec('savepoint one');
  try {
    await checkAdmission(connection, waiting.admits);
    const done = await waiting.run(connection);
    connection.exec('release one');
    return done;
  } catch (fault) {
    if (!connection.inTransaction) throw fault;
    connection.exec('rollback to one');
    connection.exec('release one');
    return () => waiting.reject(fault);
  }
}
