import { type Ledger, LedgerError, type LedgerErrorKind } from '../contract/ledger.ts';

/** What travels between a ledger's threads. Every call has a number, and so has its answer. */

export type LedgerMethod = Exclude<keyof Ledger, 'close'>;
/** `open` brings the schema up to date. */
export type ThreadMethod = LedgerMethod | 'open' | 'close';
export type ThreadCall = readonly [number: number, order: ThreadMethod, argument: unknown];
export type ThreadReply =
  | readonly [number: number, value: unknown]
  | readonly [number: number, undefined, SerializedError];

/** An error as plain data: a thread's own classes don't survive the journey. */
export interface SerializedError {
  readonly kind: LedgerErrorKind | null;
  readonly message: string;
  readonly stack: string | undefined;
  readonly cause: string | undefined;
}

/** What a thread is there for. */
export type ThreadRole = 'writer' | 'reader';

/** Methods that only look; they never wait for a writer. */
const READS: ReadonlySet<LedgerMethod> = new Set<LedgerMethod>([
  'find',
  'findByPutKey',
  'findRemoval',
  'pendingDeletes',
  'listOldPaths',
  'listInstances',
  'usage',
  'findOwnerBySha1',
  'listUploads',
  'listRemovals',
  'listOwners',
  'stats',
  'findExistingIds',
  'queueLength',
  'hasQueued',
  'nextDueAt',
  'migrationState',
  'findRangeEnd',
  'rangeDigest',
  'readRowRange',
  'readRowsByKey',
  'countRows',
  'findWrongCounters',
]);

export const threadRoleFor = (method: LedgerMethod): ThreadRole => (READS.has(method) ? 'reader' : 'writer');

export function serializeError(error: unknown): SerializedError {
  const { message, stack, cause } = error instanceof Error ? error : new Error(String(error));
  return {
    kind: error instanceof LedgerError ? error.kind : null,
    message,
    stack,
    cause: cause instanceof Error ? cause.message : undefined,
  };
}

export function deserializeError({ kind, message, stack, cause }: SerializedError): Error {
  const error = kind === null ? new Error(message, { cause }) : new LedgerError(kind, message, cause);
  if (stack !== undefined) error.stack = stack;
  return error;
}
