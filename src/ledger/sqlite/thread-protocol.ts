import { LedgerError, type LedgerErrorKind } from '../contract/ledger.ts';
import type { LedgerMethod } from '../sql/methods.ts';

/** The messages between the main thread and the threads of the ledger. A reply has the number of its call. */

/** `open` migrates the schema. */
export type ThreadMethod = LedgerMethod | 'open' | 'close';
export type ThreadCall = readonly [number: number, method: ThreadMethod, argument: unknown];
export type ThreadReply =
  | readonly [number: number, value: unknown]
  | readonly [number: number, undefined, SerializedError];

/** An error as plain data. `postMessage` does not keep the class of an error. */
export interface SerializedError {
  readonly kind: LedgerErrorKind | null;
  readonly message: string;
  readonly stack: string | undefined;
  readonly cause: string | undefined;
}

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
