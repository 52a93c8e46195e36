import type { JsonValue } from '../base/json.ts';

/**
 * `unavailable`: no process leads, or it does not serve this topic. `late`: no answer in time, whatever became of
 * the question. `busy`: too many wait already. `failed`: the handler threw; the leader's log has the story.
 */
export type RelayErrorKind = 'unavailable' | 'late' | 'busy' | 'failed';

/** A question that got no answer. */
export class RelayError extends Error {
  readonly kind: RelayErrorKind;

  constructor(kind: RelayErrorKind, message: string, cause?: unknown) {
    super(message, { cause });
    this.name = 'RelayFault';
    this.kind = kind;
  }
}

export type RelayHandler = (payload: JsonValue) => Promise<JsonValue> | JsonValue;

/**
 * Questions to the process that leads, from any process that shares its ledger, this one included. A question is
 * handed over at most once: after `late` nobody knows whether it was.
 */
export interface Relay {
  /** @throws RelayFault */
  request(topic: string, payload: JsonValue, timeoutMs: number): Promise<JsonValue>;
  /** Answers questions of this topic whenever this process leads. One handler a topic. */
  handle(topic: string, handler: RelayHandler): void;
}
