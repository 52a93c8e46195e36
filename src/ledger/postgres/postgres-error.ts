import { LedgerError, type LedgerErrorKind } from '../contract/ledger.ts';

/** SQLSTATEs, or classes of them (https://www.postgresql.org/docs/current/errcodes-appendix.html). */
const kinds: Readonly<Record<string, readonly [LedgerErrorKind, string]>> = {
  '53100': ['full', 'PostgreSQL has no disk space left'],
  '53': ['busy', 'PostgreSQL has no room for more work'],
  '40': ['busy', 'PostgreSQL had the same rows changed by others all the time'],
  '55': ['busy', 'PostgreSQL holds what the ledger needs'],
  '28': ['denied', 'PostgreSQL does not let this user in'],
  '3D': ['denied', 'PostgreSQL does not have this database'],
  '42501': ['denied', 'PostgreSQL does not allow this user to use the tables of the ledger'],
  '25006': ['denied', 'PostgreSQL lets nobody write to this database'],
  XX001: ['damaged', 'The ledger is damaged'],
  XX002: ['damaged', 'The ledger is damaged'],
};

/** Only these have words for the person who set up the database; others might name files or values. */
const TELLING = new Set(['28', '3D']);

/** What the driver or the server said, in our words. A fault that is ours already stays as it is. */
export function fromPostgresError(error: unknown): LedgerError {
  if (error instanceof LedgerError) return error;
  const code = codeOf(error);
  const state = stateOf(error);
  if (state === undefined) {
    return new LedgerError(
      'failed',
      `PostgreSQL does not answer${code === undefined ? '' : ` (${code})`}.`,
      error,
    );
  }
  const [kind, text] = kinds[state] ?? kinds[state.slice(0, 2)] ?? ['failed', 'PostgreSQL failed'];
  const more = TELLING.has(state.slice(0, 2)) && error instanceof Error ? `: ${error.message}` : '';
  return new LedgerError(kind, `${text}${more} (${state}).`, error);
}

/**
 * Why the same work may do better another time. `conflict`: others held the same rows. `taken`: a key is there
 * already, perhaps only since this work looked. `lost`: the connection is gone, or the server starts, stops, or has no connection free. `stale`: somebody changed the tables
 * under a prepared statement.
 */
export type RetryReason = 'conflict' | 'taken' | 'lost' | 'stale';

const LOST = new Set(['57P01', '57P02', '57P03', '57P05', '25P03', '53300']);
const CONFLICTS = new Set(['40001', '40P01']);

export function retryReasonFor(fault: unknown): RetryReason | undefined {
  // A fault without a cause is nobody's but ours.
  if (!(fault instanceof LedgerError) || fault.cause === undefined) return undefined;
  const state = stateOf(fault.cause);
  if (state === undefined || state.startsWith('08') || LOST.has(state)) return 'lost';
  if (CONFLICTS.has(state)) return 'conflict';
  if (state === '23505') return 'taken';
  return state === '0A000' ? 'stale' : undefined;
}

function codeOf(error: unknown): string | undefined {
  if (!(error instanceof Error) || !('code' in error)) return undefined;
  return typeof error.code === 'string' ? error.code : undefined;
}

/** Undefined where it was not the server that spoke. */
function stateOf(error: unknown): string | undefined {
  const code = codeOf(error);
  // What the server says has a severity; system errors such as EPIPE have not.
  return code !== undefined && error instanceof Error && 'severity' in error ? code : undefined;
}
