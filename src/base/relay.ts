/** What travels between processes. */
export type Json = null | boolean | number | string | readonly Json[] | { readonly [key: string]: Json };

/**
 * `unavailable`: no process leads, or it does not serve this topic. `late`: no answer in time, whatever became of
 * the question. `busy`: too many wait already. `failed`: the handler threw; the leader's log has the story.
 */
export type RelayFaultKind = 'unavailable' | 'late' | 'busy' | 'failed';

/** A question that got no answer. */
export class RelayFault extends Error {
  readonly kind: RelayFaultKind;

  constructor(kind: RelayFaultKind, message: string, cause?: unknown) {
    super(message, { cause });
    this.name = 'RelayFault';
    this.kind = kind;
  }
}

export type RelayHandler = (payload: Json) => Promise<Json> | Json;

/**
 * Questions to the process that leads, from any process that shares its ledger, this one included. A question is
 * handed over at most once: after `late` nobody knows whether it was.
 */
export interface Relay {
  /** @throws RelayFault */
  ask(topic: string, payload: Json, timeoutMs: number): Promise<Json>;
  /** Answers questions of this topic whenever this process leads. One handler a topic. */
  serve(topic: string, handler: RelayHandler): void;
}
