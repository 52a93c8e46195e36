import { createHash } from 'node:crypto';
import pg from 'pg';
import { LedgerError } from '../contract/ledger.ts';
import type { AllowedIn, Durability, Queryable, SqlValue } from '../sql/database.ts';
import { migrationStateError, SELECT_MIGRATION_STATE } from '../sql/migration-state.ts';
import { fromPostgresError, retryReasonFor } from './postgres-error.ts';

/**
 * The clock of the server. PostgreSQL evaluates a scalar subquery once per statement, so that a comparison with it can use an
 * index although the clock is volatile.
 */
export const POSTGRES_NOW = '(select cast(extract(epoch from clock_timestamp()) * 1000 as bigint))';

/** `pg_type.oid` of `bigint`. */
const BIGINT_OID = 20;

/** Parses `bigint` as a number instead of text. */
export const pgTypes: pg.CustomTypesConfig = {
  getTypeParser: (oid, format) =>
    oid === BIGINT_OID ? parseSafeInteger : pg.types.getTypeParser(oid, format),
};

/** @throws LedgerError if the number exceeds 2^53. The ledger writes no such numbers. */
export function parseSafeInteger(text: string): number {
  const number = Number(text);
  if (Number.isSafeInteger(number)) return number;
  throw new LedgerError('damaged', 'The ledger contains a number above 2^53. Restore it from a backup.');
}

/** Key of the advisory lock that transactions share and `lockExclusively` takes. All versions of Porter must use the same. */
const EXCLUSIVE_LOCK = 7_086_738;

/**
 * Names of prepared statements by their SQL, so that the server parses and plans each once per connection. A name is a digest:
 * it means the same SQL in every process and version, also behind a pooler that shares server connections.
 */
const statementNames = new Map<string, string>();

export function statementName(sql: string): string {
  const known = statementNames.get(sql);
  if (known !== undefined) return known;
  const name = `porter_${createHash('sha256').update(sql).digest('hex').slice(0, 24)}`;
  statementNames.set(sql, name);
  return name;
}

/**
 * Identifies a run of the server in which no committed transaction was lost. Changes after a crash, which resets the statistics,
 * and after a failover, which begins a new timeline. Either may have lost transactions, and may use their ids again.
 */
const SERVER_RUN = `(select stats_reset from pg_stat_bgwriter)::text || ' ' ||
  substr(pg_walfile_name(pg_current_wal_insert_lsn()), 1, 8)`;

/** Identifies a transaction, so that another connection can find its outcome. */
export interface TransactionRef {
  /** `xid8` as text. */
  readonly id: string;
  /** Process id of its server process. */
  readonly pid: number;
  readonly serverRun: string;
}

/** The run of the server by connection. It cannot change while the connection lasts. */
const serverRuns = new WeakMap<pg.PoolClient, string>();

/** A checked-out connection of the pool. Its statements run one after the other. */
export class PostgresConnection implements Queryable {
  readonly nowSql = POSTGRES_NOW;
  readonly isConcurrent = true;
  readonly client: pg.PoolClient;
  /** The transaction that was begun last. */
  transaction: TransactionRef | undefined;
  #last: Promise<unknown> = Promise.resolve();

  constructor(client: pg.PoolClient) {
    this.client = client;
  }

  async query<Row = Record<string, SqlValue>>(sql: string, params: readonly SqlValue[] = []): Promise<Row[]> {
    const { rows } = await this.#next({ name: statementName(sql), text: sql, values: [...params] });
    // The caller states the type of the rows. It is not checked at run time.
    return rows as Row[];
  }

  async execute(sql: string, params: readonly SqlValue[] = []): Promise<number> {
    const { rowCount } = await this.#next({ name: statementName(sql), text: sql, values: [...params] });
    return rowCount ?? 0;
  }

  /**
   * Starts a `read committed` transaction, takes the shared lock, and checks the migration state. All of this is sent as
   * one query string, so that it costs one round trip. A read-only server rejects it, because it assigns no transaction ids.
   */
  async begin(durability: Durability, allowedIn: AllowedIn): Promise<void> {
    const serverRun = serverRuns.get(this.client);
    const runColumn = serverRun === undefined ? `, ${SERVER_RUN} as "serverRun"` : '';
    const statements = [
      'begin isolation level read committed',
      `select pg_current_xact_id()::text as id, pg_backend_pid() as pid${runColumn}`,
    ];
    if (durability === 'lazy') statements.push('set local synchronous_commit = off');
    if (allowedIn !== 'always') {
      statements.push(`select pg_advisory_xact_lock_shared(${EXCLUSIVE_LOCK})`, SELECT_MIGRATION_STATE);
    }
    const results = await this.#next({ text: statements.join('; ') });
    // The driver returns an array of results for several statements; its types do not say so.
    const [, started, ...rest] = [results].flat() as pg.QueryResult[];
    const transaction: TransactionRef = { serverRun, ...started?.rows[0] };
    serverRuns.set(this.client, transaction.serverRun);
    this.transaction = transaction;
    if (allowedIn === 'always') return;
    const stateError = migrationStateError(rest.at(-1)?.rows[0]?.state ?? 'open', allowedIn);
    if (stateError) throw stateError;
  }

  /** Waits until all transactions with the shared lock have ended, and blocks new ones until this transaction ends. */
  async lockExclusively(): Promise<void> {
    await this.query(`select pg_advisory_xact_lock(${EXCLUSIVE_LOCK})`);
  }

  /** Commits. @throws LostCommitError with the `result` of the transaction if the connection is lost meanwhile. */
  async commit(result: unknown): Promise<void> {
    const { command } = await this.#next({ text: 'commit' }).catch((error) => {
      const isLost = retryReasonFor(error) === 'connection_lost';
      throw isLost && this.transaction ? new LostCommitError(this.transaction, result, error) : error;
    });
    if (command !== 'COMMIT')
      throw new LedgerError(
        'failed',
        'PostgreSQL rolled the transaction back instead of committing it. The log of PostgreSQL has the reason.',
      );
  }

  async rollback(): Promise<void> {
    await this.#next({ text: 'rollback' });
  }

  /** Runs a statement that must not be in a transaction. */
  async command(sql: string): Promise<void> {
    await this.#next({ text: sql });
  }

  /** Returns the connection to the pool, or closes it if it is `broken`. */
  release(broken: boolean): void {
    this.client.release(broken);
  }

  #next(query: pg.QueryConfig): Promise<pg.QueryResult> {
    const run = async () => {
      try {
        return await this.client.query(query);
      } catch (error) {
        throw fromPostgresError(error);
      }
    };
    const result = this.#last.then(run, run);
    this.#last = result;
    return result;
  }
}

/** The connection was lost during a commit, so its outcome is not known yet. */
export class LostCommitError extends LedgerError {
  readonly transaction: TransactionRef;
  /** Returned by the transaction if it is found to be committed. */
  readonly result: unknown;

  constructor(transaction: TransactionRef, result: unknown, cause: unknown) {
    super(
      'unknown_outcome',
      'The connection to PostgreSQL was lost during a commit, and its outcome could not be found out in time. ' +
        'Check that the server and its synchronous standbys are running.',
      cause,
    );
    this.transaction = transaction;
    this.result = result;
  }
}

export type TransactionOutcome = 'committed' | 'aborted' | 'in progress' | 'unknown';

/**
 * Returns the outcome of a transaction whose connection was lost. If the server still waits for the commit, terminates that
 * server process. A committed transaction of another run of the server is `unknown`, because it may be a different one with the
 * same id.
 *
 * The transaction id of this query is greater than all earlier ids. A transaction with a still greater id was lost in a crash.
 */
export async function findOutcome(
  connection: PostgresConnection,
  { id, pid, serverRun }: TransactionRef,
): Promise<TransactionOutcome> {
  const [row] = await connection.query<{ status: TransactionOutcome | null; serverRun: string }>(
    `select ${SERVER_RUN} as "serverRun", case when cast($1 as xid8) > pg_current_xact_id() then 'aborted'
       else pg_xact_status(cast($1 as xid8)) end as status`,
    [id],
  );
  const status = row?.status ?? 'unknown';
  const isSameRun = row?.serverRun === serverRun;
  if (status === 'committed') return isSameRun ? 'committed' : 'unknown';
  if (status !== 'in progress') return status;
  if (!isSameRun) return 'aborted';
  await connection.query(
    `select pg_terminate_backend(pid) from pg_stat_activity
      where pid = $1 and state = 'idle in transaction' and backend_xid = cast(cast($2 as xid8) as xid)`,
    [pid, id],
  );
  return 'in progress';
}
