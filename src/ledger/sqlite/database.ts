import { LedgerError, type MigrationState } from '../contract/ledger.ts';
import type {
  AllowedIn,
  Database,
  Durability,
  Queryable,
  SqlValue,
  TransactionOptions,
} from '../sql/database.ts';
import { migrate, readMigrations } from '../sql/migrate.ts';
import { migrationStateError, readMigrationState } from '../sql/migration-state.ts';
import { normalizeOwners } from '../sql/normalize-owners.ts';
import { isDiskFull, releaseBallast } from './ballast.ts';
import { SQLITE_NOW, SqliteConnection, type SqliteOptions } from './connection.ts';

/** Maximum number of transactions per commit, so that none waits long for the others. */
const MAX_BATCH = 128;

/** A queued transaction. `run` does its work, and returns the function that resolves its promise after the commit. */
interface QueuedTransaction {
  run(q: Queryable): Promise<() => void>;
  readonly durability: Durability;
  readonly allowedIn: AllowedIn;
  readonly freesSpace: boolean;
  reject(reason: unknown): void;
}

/**
 * SQLite with group commit. All queued transactions run in one SQLite transaction, so that one fsync is enough for all. They are
 * acknowledged after the commit. A batch of lazy transactions needs no fsync. If one fails, the batch runs again with a savepoint
 * for each, so that a failed one does not affect the others: savepoints copy every page that changes, so they are not used before.
 *
 * ```
 *   transaction() ──▶ queue ──▶ begin ─▶ work × n ─▶ commit ──▶ resolve each
 *                                 │ one has failed                    ▲ or reject those that have failed
 *                                 ▼                                   │
 *             rollback ─▶ begin ─▶ (savepoint, work, release or rollback to) × n ─▶ commit
 * ```
 *
 * Its calls block the thread. `open.ts` runs it in a worker thread.
 */
export class SqliteDatabase implements Database {
  readonly nowSql = SQLITE_NOW;
  readonly isConcurrent = false;
  readonly #options: SqliteOptions;
  #writer: SqliteConnection | undefined;
  #reader: SqliteConnection | undefined;
  #queue: QueuedTransaction[] = [];
  #running: Promise<void> | undefined;
  #closed = false;

  constructor(options: SqliteOptions) {
    this.#options = options;
  }

  /** Brings the schema up to date. @throws LedgerError */
  async migrate(): Promise<void> {
    const migrations = await readMigrations();
    await this.transaction((q) => migrate(q, migrations), 'durable', 'always', { freesSpace: true });
    await normalizeOwners(this);
  }

  async query<Row = Record<string, SqlValue>>(sql: string, params?: readonly SqlValue[]): Promise<Row[]> {
    this.#checkOpen();
    this.#reader ??= new SqliteConnection(this.#options);
    return await this.#reader.query<Row>(sql, params);
  }

  /** Runs one statement as a durable transaction. */
  async execute(sql: string, params?: readonly SqlValue[]): Promise<number> {
    return await this.transaction((q) => q.execute(sql, params), 'durable', 'always');
  }

  async transaction<T>(
    work: (q: Queryable) => Promise<T>,
    durability: Durability = 'durable',
    allowedIn: AllowedIn = 'open',
    { freesSpace = false }: TransactionOptions = {},
  ): Promise<T> {
    this.#checkOpen();
    return await new Promise<T>((resolve, reject) => {
      const run = async (q: Queryable) => {
        const result = await work(q);
        return () => resolve(result);
      };
      this.#queue.push({ run, durability, allowedIn, freesSpace, reject });
      this.#running ??= this.#runLater();
    });
  }

  /** SQLite runs one write transaction at a time, so every transaction is exclusive. */
  exclusive<T>(work: (q: Queryable) => Promise<T>): Promise<T> {
    return this.transaction(work, 'durable', 'always');
  }

  /** Closes the database after the queued transactions have run. */
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
    // Transactions that are queued in the same turn of the event loop join the batch.
    await new Promise((resolve) => setImmediate(resolve));
    const batch = this.#queue.splice(0, MAX_BATCH);
    try {
      await this.#commit(batch);
    } catch (error) {
      await this.#commitOnFullDisk(batch, error);
    }
    this.#running = this.#queue.length > 0 ? this.#runLater() : undefined;
  }

  async #commit(batch: readonly QueuedTransaction[]): Promise<void> {
    this.#writer ??= new SqliteConnection(this.#options);
    await commitTogether(this.#writer, batch);
  }

  /** Rejects the batch. If the disk is full, first repeats its removals with the space of the ballast. */
  async #commitOnFullDisk(batch: readonly QueuedTransaction[], error: unknown): Promise<void> {
    const { file } = this.#options;
    const removals = batch.filter(({ freesSpace }) => freesSpace);
    let failure = toFullDiskError(error, file);
    for (const { freesSpace, reject } of batch) if (!freesSpace) reject(failure);
    while (removals.length > 0 && isFullError(failure) && releaseBallast(file)) {
      try {
        await this.#commit(removals);
        return;
      } catch (again) {
        failure = toFullDiskError(again, file);
      }
    }
    for (const { reject } of removals) reject(failure);
  }
}

const isFullError = (error: unknown) => error instanceof LedgerError && error.kind === 'full';

/** SQLite reports a full disk as another error if it cannot create its WAL or its shared memory. */
function toFullDiskError(error: unknown, file: string): unknown {
  if (!(error instanceof LedgerError) || !['failed', 'denied'].includes(error.kind) || !isDiskFull(file))
    return error;
  return new LedgerError('full', `The disk of the ledger ${file} is full. Free some space on it.`, error);
}

/** Runs a batch in one commit. Rejects if the commit fails; then the whole batch is rolled back. */
async function commitTogether(
  connection: SqliteConnection,
  batch: readonly QueuedTransaction[],
): Promise<void> {
  const durability = batch.some((transaction) => transaction.durability === 'durable') ? 'durable' : 'lazy';
  let settlers: readonly (() => void)[];
  try {
    connection.begin(durability);
    settlers = (await runTogether(connection, batch)) ?? (await runApart(connection, batch, durability));
    connection.exec('commit');
  } catch (error) {
    if (connection.inTransaction) connection.run('rollback');
    throw error;
  }
  for (const settle of settlers) settle();
}

/** Returns the functions that resolve the promises, or undefined if a transaction has failed and everything must be undone. */
async function runTogether(
  connection: SqliteConnection,
  batch: readonly QueuedTransaction[],
): Promise<(() => void)[] | undefined> {
  const state = new BatchState(connection);
  const resolvers: (() => void)[] = [];
  try {
    for (const { allowedIn, run } of batch) {
      await state.check(allowedIn);
      resolvers.push(await run(connection));
    }
    return resolvers;
  } catch (error) {
    if (isOfBatch(connection, error)) throw error;
    return undefined;
  }
}

/** Begins again, and runs each transaction in its own savepoint. */
async function runApart(
  connection: SqliteConnection,
  batch: readonly QueuedTransaction[],
  durability: Durability,
): Promise<(() => void)[]> {
  connection.run('rollback');
  connection.begin(durability);
  const state = new BatchState(connection);
  const settlers: (() => void)[] = [];
  for (const transaction of batch) settlers.push(await runInSavepoint(connection, transaction, state));
  return settlers;
}

/** True if SQLite has rolled back the whole batch, or the disk is full. */
const isOfBatch = (connection: SqliteConnection, error: unknown) =>
  !connection.inTransaction || isFullError(error);

/**
 * The migration state during a batch. It is read inside the transaction, so that it cannot change before the commit, and again
 * after a transaction of the batch that may have changed it: only those that are always allowed do.
 */
class BatchState {
  readonly #connection: SqliteConnection;
  #known: MigrationState | undefined;

  constructor(connection: SqliteConnection) {
    this.#connection = connection;
  }

  async check(allowedIn: AllowedIn): Promise<void> {
    if (allowedIn === 'always') {
      this.#known = undefined;
      return;
    }
    this.#known ??= await readMigrationState(this.#connection);
    const stateError = migrationStateError(this.#known, allowedIn);
    if (stateError) throw stateError;
  }
}

/** Runs one transaction of a batch, and returns the function that settles its promise. Rejects only if `isOfBatch`. */
async function runInSavepoint(
  connection: SqliteConnection,
  transaction: QueuedTransaction,
  state: BatchState,
): Promise<() => void> {
  connection.run('savepoint one');
  try {
    await state.check(transaction.allowedIn);
    const resolve = await transaction.run(connection);
    connection.run('release one');
    return resolve;
  } catch (error) {
    if (isOfBatch(connection, error)) throw error;
    connection.run('rollback to one');
    connection.run('release one');
    return () => transaction.reject(error);
  }
}
