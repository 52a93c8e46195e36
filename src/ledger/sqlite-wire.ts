import { type Ledger, LedgerFault, type LedgerFaultKind } from './contract.ts';

/** What travels between a ledger's threads. Every call has a number, and so has its answer. */

export type Method = Exclude<keyof Ledger, 'close'>;
/** `open` brings the schema up to date. */
export type Order = Method | 'open' | 'close';
export type Call = readonly [number: number, order: Order, argument: unknown];
export type Answer =
  | readonly [number: number, value: unknown]
  | readonly [number: number, undefined, Failure];

/** An error as plain data: a thread's own classes don't survive the journey. */
export interface Failure {
  readonly kind: LedgerFaultKind | null;
  readonly message: string;
  readonly stack: string | undefined;
  readonly cause: string | undefined;
}

/** What a thread is there for. */
export type Role = 'writer' | 'reader';

/** Methods that only look; they never wait for a writer. */
const READS: ReadonlySet<Method> = new Set<Method>([
  'find',
  'findByPutKey',
  'findRemoval',
  'doomed',
  'oldPaths',
  'instances',
  'usage',
  'ownerBySha1',
  'listUploads',
  'listRemovals',
  'listOwners',
  'stats',
  'known',
  'waiting',
  'laneWaits',
  'dueAt',
  'standing',
  'cutRows',
  'digestRows',
  'readRows',
  'findRows',
  'countRows',
  'wrongOwners',
]);

export const roleOf = (method: Method): Role => (READS.has(method) ? 'reader' : 'writer');

export function pack(error: unknown): Failure {
  const { message, stack, cause } = error instanceof Error ? error : new Error(String(error));
  return {
    kind: error instanceof LedgerFault ? error.kind : null,
    message,
    stack,
    cause: cause instanceof Error ? cause.message : undefined,
  };
}

export function unpack({ kind, message, stack, cause }: Failure): Error {
  const error = kind === null ? new Error(message, { cause }) : new LedgerFault(kind, message, cause);
  if (stack !== undefined) error.stack = stack;
  return error;
}
