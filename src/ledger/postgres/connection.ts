import pg from 'pg';
import { LedgerError } from '../contract/ledger.ts';
import type { AllowedIn, Durability, Queryable, SqlValue } from '../sql/database.ts';
import { migrationStateError, SELECT_MIGRATION_STATE } from '../sql/migration-state.ts';
import { fromPostgresError, retryReasonFor } from './postgres-error.ts';

/** The type of `bigint` (`pg_type.oid`). */
const INT8 = 20;

/** Sizes, counts and moments are whole numbers that JavaScript holds exactly; all else is as the driver has it. */
export const pgTypes: pg.CustomTypesConfig = {
  getTypeParser: (oid, format) => (oid === INT8 ? parseSafeInteger : pg.types.getTypeParser(oid, format)),
};

/** @throws LedgerError for a number beyond 2^53, which none of ours can be. */
export function parseSafeInteger(text: string): number {
  const number = Number(text);
  if (Number.isSafeInteger(number)) return number;
  throw new LedgerError('damaged', 'The ledger holds a number that is too large to be true.');
}

/** Any number, but for ever the same: shared by all work that a move must not run into. */
const STANDING_LOCK = 7_086_738;

/** One name for each text, in all connections: the server parses and plans it once a connection. */
const names = new Map<string, string>();

function nameOf(sql: string): string {
  const name = names.get(sql) ?? `porter_${names.size + 1}`;
  names.set(sql, name);
  return name;
}

/** A connection of the pool while somebody uses it; its statements run one after the other. */
export class PostgresConnection implements Queryable {
  readonly #client: pg.PoolClient;
  #last: Promise<unknown> = Promise.resolve();

  constructor(client: pg.PoolClient) {
    this.#client = client;
  }

  async query<Row = Record<string, SqlValue>>(sql: string, params: readonly SqlValue[] = []): Promise<Row[]> {
    const { rows } = await this.#next({ name: nameOf(sql), text: sql, values: [...params] });
    // The one place where rows get their types: what SQL gives is not checked again.
    return rows as Row[];
  }

  /**
   * Starts a transaction whose statements each see what was committed before them. The lock and the look at the
   * standing travel along, so that they cost no way there and back of their own.
   */
  async begin(durability: Durability, admits: AllowedIn): Promise<void> {
    const statements = ['begin isolation level read committed'];
    if (durability === 'lazy') statements.push('set local synchronous_commit = off');
    if (admits !== 'always') {
      statements.push(`select pg_advisory_xact_lock_shared(${STANDING_LOCK})`, SELECT_MIGRATION_STATE);
    }
    const answers = await this.#next({ text: statements.join('; ') });
    if (admits === 'always') return;
    // Several statements have several answers, which the types of the driver don't say.
    const { rows } = [answers].flat().at(-1) as pg.QueryResult;
    const refusal = migrationStateError(rows[0]?.state ?? 'open', admits);
    if (refusal) throw refusal;
  }

  /** Waits until all work that began with the shared lock has ended, and holds up what comes. */
  async lockExclusively(): Promise<void> {
    await this.query(`select pg_advisory_xact_lock(${STANDING_LOCK})`);
  }

  /** Rejects with a fault that nobody may try again where it is not known whether the commit happened. */
  async commit(): Promise<void> {
    const { command } = await this.#next({ text: 'commit' }).catch((fault) => {
      throw retryReasonFor(fault) === 'lost' ? unknownOutcome() : fault;
    });
    if (command !== 'COMMIT') throw new LedgerError('failed', 'PostgreSQL took the transaction back.');
  }

  async rollback(): Promise<void> {
    await this.#next({ text: 'rollback' });
  }

  /** Gives it back to the pool; `broken` ones are closed instead. */
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
    const answer = this.#last.then(run, run);
    this.#last = answer;
    return answer;
  }
}

const unknownOutcome = () =>
  new LedgerError('failed', 'The connection to PostgreSQL was lost in the middle of a commit.');
