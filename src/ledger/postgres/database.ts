import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';
import { LedgerError } from '../contract/ledger.ts';
import type { AllowedIn, Database, Durability, Queryable, SqlValue } from '../sql/database.ts';
import { migrate, readMigrations } from '../sql/migrate.ts';
import { PostgresConnection, pgTypes } from './connection.ts';
import { fromPostgresError, type RetryReason, retryReasonFor } from './postgres-error.ts';

export interface PostgresOptions {
  /** `postgres://user:password@host/database`. */
  readonly url: string;
  /** Flushes each durable commit before it is acknowledged, if the settings of the server allow this. */
  readonly sync: boolean;
  /** Maximum size of the pool. Default: 10. */
  readonly connections?: number;
  /** A statement fails after this time. 0 = no limit. Default: 60 s. */
  readonly statementTimeoutMs?: number;
}

const DEFAULT_CONNECTIONS = 10;
const STATEMENT_TIMEOUT_MS = 60_000;
const CONNECT_TIMEOUT_MS = 10_000;
/** How long work is retried while the server cannot be reached, for instance during its restart. */
const RECONNECT_TIMEOUT_MS = 10_000;
/** Maximum number of retries by reason. */
const MAX_RETRIES: Readonly<Record<Exclude<RetryReason, 'connection_lost'>, number>> = {
  conflict: 50,
  duplicate_key: 3,
  stale_plan: 3,
};
/** Key of the advisory lock of migrations. All versions of Porter must use the same. */
const MIGRATION_LOCK = 7_086_737;

/**
 * PostgreSQL with a pool of connections. Transactions lock the owner's row, so the isolation level `read committed` is enough. A
 * transaction that deadlocks, or inserts a key that another one has inserted meanwhile, is retried.
 */
export class PostgresDatabase implements Database {
  readonly #pool: pg.Pool;
  readonly #sync: boolean;
  #closed = false;

  constructor({
    url,
    sync,
    connections = DEFAULT_CONNECTIONS,
    statementTimeoutMs = STATEMENT_TIMEOUT_MS,
  }: PostgresOptions) {
    this.#sync = sync;
    this.#pool = new pg.Pool({
      connectionString: url,
      application_name: 'porter',
      max: connections,
      types: pgTypes,
      keepAlive: true,
      connectionTimeoutMillis: CONNECT_TIMEOUT_MS,
      query_timeout: statementTimeoutMs,
      // Releases the row locks of a process that lost its network within a transaction.
      idle_in_transaction_session_timeout: STATEMENT_TIMEOUT_MS,
    });
    // The failed query reports a lost connection. Without listeners, the `error` event would end the process.
    this.#pool.on('connect', (client) => client.on('error', () => {}));
    this.#pool.on('error', () => {});
  }

  /** Migrates the schema under a lock. @throws LedgerError */
  async migrate(): Promise<void> {
    const migrations = await readMigrations();
    await this.transaction(
      async (q) => {
        await q.query('select pg_advisory_xact_lock($1)', [MIGRATION_LOCK]);
        await migrate(q, migrations);
      },
      'durable',
      'always',
    );
  }

  async query<Row = Record<string, SqlValue>>(sql: string, params?: readonly SqlValue[]): Promise<Row[]> {
    return await this.#retry((connection) => connection.query<Row>(sql, params));
  }

  async transaction<T>(
    work: (q: Queryable) => Promise<T>,
    durability: Durability = 'durable',
    allowedIn: AllowedIn = 'open',
  ): Promise<T> {
    const effective = this.#sync ? durability : 'lazy';
    return await this.#retry((connection) => inTransaction(connection, work, effective, allowedIn));
  }

  async exclusive<T>(work: (q: Queryable) => Promise<T>): Promise<T> {
    return await this.#retry((connection) => {
      const workWithLock = async (q: Queryable) => {
        await connection.lockExclusively();
        return await work(q);
      };
      return inTransaction(connection, workWithLock, 'durable', 'always');
    });
  }

  /** Closes the pool after running work has ended. */
  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    await this.#pool.end();
  }

  /** Runs `work`, and repeats it after a failure with a `RetryReason`. A failed `work` must have no effect. */
  async #retry<T>(work: (connection: PostgresConnection) => Promise<T>): Promise<T> {
    const deadline = performance.now() + RECONNECT_TIMEOUT_MS;
    for (let failures = 1; ; failures += 1) {
      try {
        return await this.#runOnce(work);
      } catch (error) {
        const reason = retryReasonFor(error);
        if (reason === undefined || this.#closed) throw error;
        if (reason === 'connection_lost' ? performance.now() > deadline : failures > MAX_RETRIES[reason])
          throw error;
        await sleep(retryDelay(failures));
      }
    }
  }

  async #runOnce<T>(work: (connection: PostgresConnection) => Promise<T>): Promise<T> {
    const connection = await this.#connect();
    let broken = true;
    try {
      const result = await work(connection);
      broken = false;
      return result;
    } catch (error) {
      // After most errors the transaction is rolled back, and the connection can be used again.
      broken = !(await rollBack(connection, error));
      throw error;
    } finally {
      connection.release(broken);
    }
  }

  async #connect(): Promise<PostgresConnection> {
    if (this.#closed) throw new LedgerError('closed', 'The ledger is closed.');
    try {
      return new PostgresConnection(await this.#pool.connect());
    } catch (error) {
      throw fromPostgresError(error);
    }
  }
}

async function inTransaction<T>(
  connection: PostgresConnection,
  work: (q: Queryable) => Promise<T>,
  durability: Durability,
  allowedIn: AllowedIn,
): Promise<T> {
  await connection.begin(durability, allowedIn);
  const result = await work(connection);
  await connection.commit();
  return result;
}

/** Rolls back an open transaction. Returns false if the connection cannot be used again. */
async function rollBack(connection: PostgresConnection, error: unknown): Promise<boolean> {
  const reason = retryReasonFor(error);
  if (reason === 'connection_lost' || reason === 'stale_plan') return false;
  return await connection.rollback().then(
    () => true,
    () => false,
  );
}

/** Returns a random pause in milliseconds, so that two conflicting transactions do not conflict again. */
function retryDelay(failures: number): number {
  return Math.random() * Math.min(250, 5 * 2 ** failures);
}
