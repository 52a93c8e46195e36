import pg from 'pg';
import { LedgerError } from '../contract/ledger.ts';
import type { AllowedIn, Durability, Queryable, SqlValue } from '../sql/database.ts';
import { migrationStateError, SELECT_MIGRATION_STATE } from '../sql/migration-state.ts';
import { fromPostgresError, retryReasonFor } from './postgres-error.ts';

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

/** Names of prepared statements by their SQL, so that the server parses and plans each once per connection. */
const statementNames = new Map<string, string>();

function statementName(sql: string): string {
  const name = statementNames.get(sql) ?? `porter_${statementNames.size + 1}`;
  statementNames.set(sql, name);
  return name;
}

/** A checked-out connection of the pool. Its statements run one after the other. */
export class PostgresConnection implements Queryable {
  readonly #client: pg.PoolClient;
  #last: Promise<unknown> = Promise.resolve();

  constructor(client: pg.PoolClient) {
    this.#client = client;
  }

  async query<Row = Record<string, SqlValue>>(sql: string, params: readonly SqlValue[] = []): Promise<Row[]> {
    const { rows } = await this.#next({ name: statementName(sql), text: sql, values: [...params] });
    // The caller states the type of the rows. It is not checked at run time.
    return rows as Row[];
  }

  /**
   * Starts a `read committed` transaction, takes the shared lock, and checks the migration state. All of this is sent as
   * one query string, so that it costs one round trip.
   */
  async begin(durability: Durability, allowedIn: AllowedIn): Promise<void> {
    const statements = ['begin isolation level read committed'];
    if (durability === 'lazy') statements.push('set local synchronous_commit = off');
    if (allowedIn !== 'always') {
      statements.push(`select pg_advisory_xact_lock_shared(${EXCLUSIVE_LOCK})`, SELECT_MIGRATION_STATE);
    }
    const results = await this.#next({ text: statements.join('; ') });
    if (allowedIn === 'always') return;
    // The driver returns an array of results for several statements; its types do not say so.
    const { rows } = [results].flat().at(-1) as pg.QueryResult;
    const stateError = migrationStateError(rows[0]?.state ?? 'open', allowedIn);
    if (stateError) throw stateError;
  }

  /** Waits until all transactions with the shared lock have ended, and blocks new ones until this transaction ends. */
  async lockExclusively(): Promise<void> {
    await this.query(`select pg_advisory_xact_lock(${EXCLUSIVE_LOCK})`);
  }

  /** Commits. If the connection is lost meanwhile, the outcome is unknown, and it rejects with an error that is not retried. */
  async commit(): Promise<void> {
    const { command } = await this.#next({ text: 'commit' }).catch((error) => {
      throw retryReasonFor(error) === 'connection_lost' ? unknownOutcome() : error;
    });
    if (command !== 'COMMIT')
      throw new LedgerError('failed', 'PostgreSQL rolled the transaction back instead of committing it.');
  }

  async rollback(): Promise<void> {
    await this.#next({ text: 'rollback' });
  }

  /** Returns the connection to the pool, or closes it if it is `broken`. */
  release(broken: boolean): void {
    this.#client.release(broken);
  }

  #next(query: pg.QueryConfig): Promise<pg.QueryResult> {
    const run = async () => {
      try {
        return await this.#client.query(query);
      } catch (error) {
        throw fromPostgresError(error);
      }
    };
    const result = this.#last.then(run, run);
    this.#last = result;
    return result;
  }
}

const unknownOutcome = () =>
  new LedgerError(
    'failed',
    'The connection to PostgreSQL was lost during a commit, so its outcome is unknown.',
  );
