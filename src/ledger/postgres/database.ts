import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';
import { LedgerError } from '../contract/ledger.ts';
import type {
  AllowedIn,
  Database,
  Durability,
  Queryable,
  SqlValue,
  TransactionOptions,
} from '../sql/database.ts';
import { isIndexChange, planIndexes } from '../sql/indexes.ts';
import { migrate, readMigrations } from '../sql/migrate.ts';
import { normalizeOwners } from '../sql/normalize-owners.ts';
import {
  findOutcome,
  LostCommitError,
  POSTGRES_NOW,
  PostgresConnection,
  pgTypes,
  type TransactionRef,
} from './connection.ts';
import { buildIndexes } from './index-builds.ts';
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
  /** How long to ask for the outcome of a commit whose connection was lost. Default: 30 s. */
  readonly outcomeTimeoutMs?: number;
}

const DEFAULT_CONNECTIONS = 10;
const STATEMENT_TIMEOUT_MS = 60_000;
const CONNECT_TIMEOUT_MS = 10_000;
/** How long work is retried while the server cannot be reached, for instance during its restart. */
const RECONNECT_TIMEOUT_MS = 10_000;
const OUTCOME_TIMEOUT_MS = 30_000;
const OUTCOME_PAUSE_MS = 100;
/** Maximum number of retries by reason. */
const MAX_RETRIES: Readonly<Record<Exclude<RetryReason, 'connection_lost' | 'read_only'>, number>> = {
  conflict: 50,
  duplicate_key: 3,
  stale_plan: 3,
};
/** How often a transaction is repeated after a commit that was lost before it reached the server. */
const MAX_LOST_COMMITS = 3;
/** Key of the advisory lock of migrations. All versions of Porter must use the same. */
const MIGRATION_LOCK = 7_086_737;

/**
 * PostgreSQL with a pool of connections. Transactions lock the owner's row, so the isolation level `read committed` is enough. A
 * transaction that deadlocks, or inserts a key that another one has inserted meanwhile, is retried.
 */
export class PostgresDatabase implements Database {
  readonly nowSql = POSTGRES_NOW;
  readonly isConcurrent = true;
  readonly #pool: pg.Pool;
  readonly #sync: boolean;
  readonly #outcomeTimeoutMs: number;
  /** Raised when a server turns out to be read-only. Connections of earlier epochs may lead to it, and are closed. */
  #epoch = 0;
  readonly #epochs = new WeakMap<pg.PoolClient, number>();
  #closed = false;

  constructor({
    url,
    sync,
    connections = DEFAULT_CONNECTIONS,
    statementTimeoutMs = STATEMENT_TIMEOUT_MS,
    outcomeTimeoutMs = OUTCOME_TIMEOUT_MS,
  }: PostgresOptions) {
    this.#sync = sync;
    this.#outcomeTimeoutMs = outcomeTimeoutMs;
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
    this.#pool.on('connect', (client) => {
      this.#epochs.set(client, this.#epoch);
      client.on('error', () => {});
    });
    this.#pool.on('error', () => {});
  }

  /** Migrates the schema under a lock, then builds the indexes of tables with rows. @throws LedgerError */
  async migrate(): Promise<void> {
    const migrations = await readMigrations();
    await this.transaction(
      async (q) => {
        await q.query('select pg_advisory_xact_lock($1)', [MIGRATION_LOCK]);
        await migrate(q, migrations, Date.now(), isIndexChange);
      },
      'durable',
      'always',
    );
    await this.#retry((connection) => buildIndexes(connection, planIndexes(migrations)));
    await normalizeOwners(this);
  }

  async query<Row = Record<string, SqlValue>>(sql: string, params?: readonly SqlValue[]): Promise<Row[]> {
    return await this.#retry((connection) => connection.query<Row>(sql, params));
  }

  async execute(sql: string, params?: readonly SqlValue[]): Promise<number> {
    return await this.#retry((connection) => connection.execute(sql, params));
  }

  async transaction<T>(
    work: (q: Queryable) => Promise<T>,
    durability: Durability = 'durable',
    allowedIn: AllowedIn = 'open',
    { reconnectTimeoutMs }: TransactionOptions = {},
  ): Promise<T> {
    const effective = this.#sync ? durability : 'lazy';
    const inOneTransaction = (connection: PostgresConnection) =>
      inTransaction(connection, work, effective, allowedIn);
    return await this.#retry(inOneTransaction, reconnectTimeoutMs);
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

  /**
   * Runs `work`, and repeats it after a failure with a `RetryReason`. A failed `work` must have no effect. If the connection was
   * lost during a commit, first finds out whether the commit took effect.
   */
  async #retry<T>(
    work: (connection: PostgresConnection) => Promise<T>,
    reconnectTimeoutMs = RECONNECT_TIMEOUT_MS,
  ): Promise<T> {
    let deadline = performance.now() + reconnectTimeoutMs;
    for (let failures = 1, lostCommits = 0; ; failures += 1) {
      try {
        return await this.#runOnce(work);
      } catch (error) {
        if (error instanceof LostCommitError) {
          const outcome = await this.#waitForOutcome(error.transaction);
          // The error carries what this `work` has returned.
          if (outcome === 'committed') return error.result as T;
          if (outcome === 'unknown') throw error;
          lostCommits += 1;
          if (lostCommits > MAX_LOST_COMMITS) throw error.cause;
          deadline = performance.now() + reconnectTimeoutMs;
        }
        const reason = retryReasonFor(error);
        if (reason === undefined || this.#closed) throw error;
        const isOver =
          reason === 'connection_lost' || reason === 'read_only'
            ? performance.now() > deadline
            : failures > MAX_RETRIES[reason];
        if (isOver) throw error;
        await sleep(retryDelay(failures));
      }
    }
  }

  /** Asks the server until the outcome is certain, also while it restarts. Returns `unknown` after the time limit. */
  async #waitForOutcome(transaction: TransactionRef): Promise<'committed' | 'aborted' | 'unknown'> {
    const deadline = performance.now() + this.#outcomeTimeoutMs;
    for (;;) {
      // While the server cannot be reached, the transaction may still be running.
      const outcome = await this.#runOnce((connection) => findOutcome(connection, transaction)).catch(
        () => 'in progress' as const,
      );
      if (outcome !== 'in progress') return outcome;
      if (this.#closed || performance.now() > deadline) return 'unknown';
      await sleep(OUTCOME_PAUSE_MS);
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
      if (retryReasonFor(error) === 'read_only' && this.#epochs.get(connection.client) === this.#epoch)
        this.#epoch += 1;
      throw error;
    } finally {
      connection.release(broken);
    }
  }

  async #connect(): Promise<PostgresConnection> {
    if (this.#closed) throw new LedgerError('closed', 'The ledger is closed.');
    try {
      for (;;) {
        const client = await this.#pool.connect();
        if (this.#epochs.get(client) === this.#epoch) return new PostgresConnection(client);
        client.release(true);
      }
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
  await connection.commit(result);
  return result;
}

/** Rolls back an open transaction. Returns false if the connection cannot be used again. */
async function rollBack(connection: PostgresConnection, error: unknown): Promise<boolean> {
  const reason = retryReasonFor(error);
  if (reason === 'connection_lost' || reason === 'read_only' || reason === 'stale_plan') return false;
  return await connection.rollback().then(
    () => true,
    () => false,
  );
}

/** Returns a random pause in milliseconds, so that two conflicting transactions do not conflict again. */
function retryDelay(failures: number): number {
  return Math.random() * Math.min(250, 5 * 2 ** failures);
}
