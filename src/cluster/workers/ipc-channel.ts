import { PendingRequests, type ResponseMessage, toErrorResponse } from '../pending-requests.ts';
import { RelayError } from '../relay.ts';

const MAX_PENDING = 5000;

type Handler = (payload: unknown) => unknown;

/** A message on the channel. The key `porter` distinguishes it from messages of Node's cluster module. */
type IpcMessage = { readonly porter: IpcRequest | ResponseMessage<unknown> };

interface IpcRequest {
  readonly type: 'request';
  readonly id: number;
  readonly verb: string;
  readonly payload: unknown;
}

/** Requests and responses between the supervisor and one worker, in both directions, over Node's IPC channel. */
export class IpcChannel {
  readonly #send: (message: IpcMessage) => void;
  readonly #handlers = new Map<string, Handler>();
  readonly #pending = new PendingRequests<unknown>(MAX_PENDING);
  #isClosed = false;

  constructor(send: (message: IpcMessage) => void) {
    this.#send = send;
  }

  /** Rejects with a `RelayError`. */
  async request(verb: string, payload: unknown, timeoutMs: number): Promise<unknown> {
    if (this.#isClosed) throw closedError();
    return await this.#pending.request(timeoutMs, (id) =>
      this.#send({ porter: { type: 'request', id, verb, payload } }),
    );
  }

  handle(verb: string, handler: Handler): void {
    this.#handlers.set(verb, handler);
  }

  /** Handles a message of Node's channel. Ignores messages that are not from Porter. */
  receive(message: unknown): void {
    if (!isIpcMessage(message)) return;
    const { porter } = message;
    if (porter.type === 'request') void this.#respond(porter);
    else this.#pending.settle(porter);
  }

  /** Rejects all pending and later requests, because the other process has exited. */
  close(): void {
    this.#isClosed = true;
    this.#pending.rejectAll(closedError());
  }

  async #respond({ id, verb, payload }: IpcRequest): Promise<void> {
    try {
      const handler = this.#handlers.get(verb);
      if (handler === undefined) throw new RelayError('unavailable', `No handler for "${verb}".`);
      this.#send({ porter: { type: 'response', id, value: await handler(payload) } });
    } catch (error) {
      this.#send({ porter: toErrorResponse(id, error) });
    }
  }
}

function isIpcMessage(message: unknown): message is IpcMessage {
  return typeof message === 'object' && message !== null && 'porter' in message;
}

function closedError(): RelayError {
  return new RelayError('unavailable', 'The other process has exited.');
}
