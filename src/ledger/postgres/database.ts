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
  /** True: a commit is on disk when it is acknowledged, as far as the server's own settings say so. */
  readonly sync: boolean;
  /** How many there are at most; 10 where nobody says. */
  readonly connections?: number;
  /** Milliseconds until a statement without an answer counts as lost; 0 = never. */
  readonly statementTimeoutMs?: number;
}

const CONNECTIONS = 10;
const ANSWER_WITHIN = 60_000;
const CONNECT_WITHIN = 10_000;
/** Milliseconds that a server may be away, as in a restart, before work gives up. */
const PATIENCE = 10_000;
/** How often the same work is tried again, where it is not a matter of time. */
const TRIES: Readonly<Record<Exclude<RetryReason, 'lost'>, number>> = { conflict: 50, taken: 3, stale: 3 };
/** Any number, but for ever the same: who holds it changes the tables. */
const MIGRATION_LOCK = 7_086_737;

/**
 * PostgreSQL behind a pool. The owner's row is what a transaction locks, so `read committed` is enough; what
 * deadlocks, or meets a key that another was quicker to take, runs again.
 */
export class PostgresDatabase implements Database {
  readonly #pool: pg.Pool;
  readonly #sync: boolean;
  #closed = false;

  constructor({ url, sync, connections = CONNECTIONS, statementTimeoutMs = ANSWER_WITHIN }: PostgresOptions) {
    this.#sync = sync;
    this.#pool = new pg.Pool({
      connectionString: url,
      application_name: 'porter',
      max: connections,
      types: pgTypes,
      keepAlive: true,
      connectionTimeoutMillis: CONNECT_WITHIN,
      query_timeout: statementTimeoutMs,
      // A process that was cut off in the middle must not hold its rows against the others.
      idle_in_transaction_session_timeout: ANSWER_WITHIN,
    });
    // A connection that dies says so to whoever uses it; unheard, its event would end the process.
    this.#pool.on('connect', (client) => client.on('error', () => {}));
    this.#pool.on('error', () => {});
  }

  /** Brings the schema up to date, while nobody else does. @throws LedgerError */
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
    return await this.#persist((connection) => connection.query<Row>(sql, params));
  }

  async transaction<T>(
    work: (q: Queryable) => Promise<T>,
    durability: Durability = 'durable',
    admits: AllowedIn = 'open',
  ): Promise<T> {
    const how = [this.#sync ? durability : 'lazy', admits] as const;
    return await this.#persist((connection) => inTransaction(connection, work, ...how));
  }

  async exclusive<T>(work: (q: Queryable) => Promise<T>): Promise<T> {
    return await this.#persist((connection) => {
      const afterOthers = async (q: Queryable) => {
        await connection.lockExclusively();
        return await work(q);
      };
      return inTransaction(connection, afterOthers, 'durable', 'always');
    });
  }

  /** After what has begun is done. */
  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    await this.#pool.end();
  }

  /** Runs `work`, which leaves nothing behind where it fails, until it succeeds or nothing speaks for another try. */
  async #persist<T>(work: (connection: PostgresConnection) => Promise<T>): Promise<T> {
    const deadline = performance.now() + PATIENCE;
    for (let failures = 1; ; failures += 1) {
      try {
        return await this.#once(work);
      } catch (fault) {
        const again = retryReasonFor(fault);
        if (again === undefined || this.#closed) throw fault;
        if (again === 'lost' ? performance.now() > deadline : failures > TRIES[again]) throw fault;
        await sleep(pauseAfter(failures));
      }
    }
  }

  async #once<T>(work: (connection: PostgresConnection) => Promise<T>): Promise<T> {
    const connection = await this.#connect();
    let broken = true;
    try {
      const result = await work(connection);
      broken = false;
      return result;
    } catch (fault) {
      // After an ordinary fault a transaction has been rolled back, and the connection serves the next.
      broken = !(await isIdle(connection, fault));
      throw fault;
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
  admits: AllowedIn,
): Promise<T> {
  await connection.begin(durability, admits);
  const result = await work(connection);
  await connection.commit();
  return result;
}

/** Ends what may be left of a transaction; false where the connection is of no more use. */
async function isIdle(connection: PostgresConnection, fault: unknown): Promise<boolean> {
  const again = retryReasonFor(fault);
  if (again === 'lost' || again === 'stale') return false;
  return await connection.rollback().then(
    () => true,
    () => false,
  );
}

/** Milliseconds; random, so that two who got in each other's way don't meet again. */
function pauseAfter(failures: number): number {
  return Math.random() * Math.min(250, 5 * 2 ** failures);
}
