import { RelayError, type RelayErrorKind, withRelayTimeout } from './relay.ts';

/** An answer to the request with the same id. */
export type ResponseMessage<T> =
  | { readonly type: 'response'; readonly id: number; readonly value: T }
  | { readonly type: 'error'; readonly id: number; readonly kind: RelayErrorKind; readonly text: string };

/** Assigns the responses of another process to the requests of this one, by id. */
export class PendingRequests<T> {
  readonly #limit: number;
  readonly #pending = new Map<number, PromiseWithResolvers<T>>();
  #lastId = 0;

  /** `limit`: the largest number of requests without a response. Further requests are refused as `busy`. */
  constructor(limit: number) {
    this.#limit = limit;
  }

  /**
   * Sends a request with a new id and waits for its response. Rejects with a `RelayError`, or with the error of
   * `send`.
   */
  async request(timeoutMs: number, send: (id: number) => Promise<void> | void): Promise<T> {
    if (this.#pending.size >= this.#limit) throw new RelayError('busy', 'Too many requests are pending.');
    this.#lastId += 1;
    const id = this.#lastId;
    const response = Promise.withResolvers<T>();
    this.#pending.set(id, response);
    try {
      await send(id);
      return await withRelayTimeout(response.promise, timeoutMs);
    } finally {
      this.#pending.delete(id);
    }
  }

  /** Settles the request that the message answers. A response after the timeout is ignored. */
  settle(message: ResponseMessage<T>): void {
    const response = this.#pending.get(message.id);
    if (message.type === 'response') response?.resolve(message.value);
    else response?.reject(new RelayError(message.kind, message.text));
  }

  /** Rejects all pending requests. */
  rejectAll(error: RelayError): void {
    for (const response of this.#pending.values()) response.reject(error);
  }
}

/** Returns the response to a failed request. */
export function toErrorResponse(id: number, error: unknown): ResponseMessage<never> {
  const kind = error instanceof RelayError ? error.kind : 'failed';
  return { type: 'error', id, kind, text: error instanceof Error ? error.message : String(error) };
}
