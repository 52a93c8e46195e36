import { withTimeout } from '../base/async.ts';
import type { JsonValue } from '../base/json.ts';

/**
 * - `unavailable`: no process leads, or the leader does not handle this topic.
 * - `timeout`: no response in time. The leader may or may not have handled the request.
 * - `busy`: too many requests are pending.
 * - `failed`: the handler threw. The leader's log has the details.
 */
export type RelayErrorKind = 'unavailable' | 'timeout' | 'busy' | 'failed';

/** The error of a request to the leading process that has no result. */
export class RelayError extends Error {
  readonly kind: RelayErrorKind;

  constructor(kind: RelayErrorKind, message: string, cause?: unknown) {
    super(message, { cause });
    this.name = 'RelayError';
    this.kind = kind;
  }
}

export type RelayHandler = (payload: JsonValue) => Promise<JsonValue> | JsonValue;

/**
 * Sends requests to the leading process, from any process that shares its ledger, the leader included. A request is delivered at most
 * once.
 */
export interface Relay {
  /** Rejects with a `RelayError`. */
  request(topic: string, payload: JsonValue, timeoutMs: number): Promise<JsonValue>;
  /** Sets the handler of a topic. It is called while this process leads. */
  handle(topic: string, handler: RelayHandler): void;
}

/** Settles as `work` does, or rejects with a `RelayError` of kind `timeout`. */
export function withRelayTimeout<T>(work: Promise<T>, ms: number): Promise<T> {
  return withTimeout(work, ms, () => new RelayError('timeout', `No response within ${ms} ms.`));
}

export function noLeaderError(): RelayError {
  return new RelayError('unavailable', 'No process leads at the moment.');
}
