import { LedgerError, type LedgerErrorKind } from '../contract/ledger.ts';

/** Error texts by SQLSTATE or its class (https://www.postgresql.org/docs/current/errcodes-appendix.html): cause, then remedy. */
const ERRORS: Readonly<Record<string, readonly [kind: LedgerErrorKind, cause: string, remedy: string]>> = {
  '53100': ['full', 'The disk of the PostgreSQL server is full', 'Free some space on it.'],
  '53': ['busy', 'The PostgreSQL server has no free resources', 'Check its max_connections and its memory.'],
  '40': ['busy', 'Other transactions changed the same rows in every attempt', 'Try again later.'],
  '55': ['busy', 'Another session of PostgreSQL locks the ledger', 'Try again later.'],
  '57P': ['unreachable', 'The PostgreSQL server is starting or stopping', 'Try again later.'],
  '28': ['denied', 'PostgreSQL rejected the login', 'Check user and password in storage.ledger.'],
  '3D': ['denied', 'PostgreSQL does not have this database', 'Create it, or check storage.ledger.'],
  '42501': [
    'denied',
    'The PostgreSQL user may not use the tables of the ledger',
    'Make it the owner of the database: ALTER DATABASE … OWNER TO …',
  ],
  '25006': ['denied', 'The PostgreSQL database is read-only', 'Connect to the primary server.'],
  XX001: ['damaged', 'The ledger is damaged', 'Restore the PostgreSQL database from a backup.'],
  XX002: ['damaged', 'The ledger is damaged', 'Restore the PostgreSQL database from a backup.'],
};

/** Classes whose server message is included. Messages of other classes might contain file names or values. */
const WITH_SERVER_MESSAGE = new Set(['28', '3D']);

/** Errors of the driver: a statement took too long, and all connections of the pool were in use for too long. */
const CLIENT_TIMEOUTS = new Set(['Query read timeout', 'timeout exceeded when trying to connect']);

/** Converts an error of the server or the driver to a `LedgerError`. Returns a `LedgerError` unchanged. */
export function fromPostgresError(error: unknown): LedgerError {
  if (error instanceof LedgerError) return error;
  const state = sqlStateOf(error);
  if (state === undefined) {
    if (error instanceof Error && CLIENT_TIMEOUTS.has(error.message))
      return new LedgerError(
        'busy',
        `PostgreSQL does not answer in time (${error.message}). Check the load of its server and its locks.`,
        error,
      );
    const reason = codeOf(error) ?? (error instanceof Error ? error.message : String(error));
    return new LedgerError(
      'unreachable',
      `Cannot reach PostgreSQL (${reason}). Check that the server of storage.ledger is running and not overloaded.`,
      error,
    );
  }
  const [kind, cause, remedy] = ERRORS[state] ??
    ERRORS[state.slice(0, 3)] ??
    ERRORS[state.slice(0, 2)] ?? [
      'failed',
      'PostgreSQL reported an error',
      'The log of PostgreSQL has the details.',
    ];
  const detail =
    WITH_SERVER_MESSAGE.has(state.slice(0, 2)) && error instanceof Error ? `: ${error.message}` : '';
  return new LedgerError(kind, `${cause}${detail} (SQLSTATE ${state}). ${remedy}`, error);
}

/**
 * Why the same work may succeed if it is repeated.
 *
 * | reason | meaning |
 * |---|---|
 * | `conflict` | Another transaction locked or changed the same rows. |
 * | `duplicate_key` | The key exists, perhaps inserted after this work checked for it. |
 * | `connection_lost` | The connection broke, or the server starts, stops or has no free connection. |
 * | `read_only` | After a failover the connection may still lead to the server that was the primary. |
 * | `stale_plan` | The tables changed under a prepared statement. |
 */
export type RetryReason = 'conflict' | 'duplicate_key' | 'connection_lost' | 'read_only' | 'stale_plan';

const CONNECTION_LOST = new Set(['57P01', '57P02', '57P03', '57P05', '25P03', '53300']);
const CONFLICTS = new Set(['40001', '40P01']);

/** Returns undefined if a repetition would not help. */
export function retryReasonFor(error: unknown): RetryReason | undefined {
  // Errors without a cause come from this program, not from PostgreSQL.
  if (!(error instanceof LedgerError) || error.cause === undefined) return undefined;
  const state = sqlStateOf(error.cause);
  if (state === undefined || state.startsWith('08') || CONNECTION_LOST.has(state)) return 'connection_lost';
  if (CONFLICTS.has(state)) return 'conflict';
  if (state === '25006') return 'read_only';
  if (state === '23505') return 'duplicate_key';
  return state === '0A000' ? 'stale_plan' : undefined;
}

function codeOf(error: unknown): string | undefined {
  if (!(error instanceof Error) || !('code' in error)) return undefined;
  return typeof error.code === 'string' ? error.code : undefined;
}

/** Returns undefined if the error does not come from the server. Only errors of the server have a severity. */
function sqlStateOf(error: unknown): string | undefined {
  const code = codeOf(error);
  return code !== undefined && error instanceof Error && 'severity' in error ? code : undefined;
}
