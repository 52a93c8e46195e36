import { RelayError, type RelayErrorKind } from '../relay.ts';
import { withRelayTimeout } from '../relay-timeout.ts';

/** Unanswered questions that one end keeps in mind. */
const MAX_PENDING = 5000;

type Handler = (payload: unknown) => unknown;

/** Questions and answers between the supervisor and one worker, over the channel that Node gives them. */
export interface IpcChannel {
  /** @throws RelayFault */
  request(verb: string, payload: unknown, timeoutMs: number): Promise<unknown>;
  handle(verb: string, handler: Handler): void;
  /** Every message of the channel goes in here; those of others are passed over. */
  receive(message: unknown): void;
  /** The other end is gone. */
  close(): void;
}

type Message =
  | { readonly porter: 'ask'; readonly id: number; readonly verb: string; readonly payload: unknown }
  | { readonly porter: 'answer'; readonly id: number; readonly value: unknown }
  | { readonly porter: 'fault'; readonly id: number; readonly kind: RelayErrorKind; readonly text: string };

export function createIpcChannel(send: (message: Message) => void): IpcChannel {
  const handlers = new Map<string, Handler>();
  const pending = new Map<number, PromiseWithResolvers<unknown>>();
  let ended = false;
  let count = 0;

  async function answer({ id, verb, payload }: Message & { porter: 'ask' }): Promise<void> {
    try {
      const handler = handlers.get(verb);
      if (handler === undefined) throw new RelayError('unavailable', `Nobody serves "${verb}" here.`);
      send({ porter: 'answer', id, value: await handler(payload) });
    } catch (error) {
      const kind = error instanceof RelayError ? error.kind : 'failed';
      send({ porter: 'fault', id, kind, text: error instanceof Error ? error.message : String(error) });
    }
  }

  function settle(message: Exclude<Message, { porter: 'ask' }>): void {
    const question = pending.get(message.id);
    if (message.porter === 'answer') question?.resolve(message.value);
    else question?.reject(new RelayError(message.kind, message.text));
  }

  return {
    handle: (verb, handler) => void handlers.set(verb, handler),
    async request(verb, payload, timeoutMs) {
      if (ended) throw gone();
      if (pending.size >= MAX_PENDING) throw new RelayError('busy', 'Too many questions wait already.');
      count += 1;
      const id = count;
      const question = Promise.withResolvers<unknown>();
      pending.set(id, question);
      try {
        send({ porter: 'ask', id, verb, payload });
        return await withRelayTimeout(question.promise, timeoutMs);
      } finally {
        pending.delete(id);
      }
    },
    receive(message) {
      if (!isOurs(message)) return;
      if (message.porter === 'ask') void answer(message);
      else settle(message);
    },
    close() {
      ended = true;
      for (const question of pending.values()) question.reject(gone());
    },
  };
}

function isOurs(message: unknown): message is Message {
  return typeof message === 'object' && message !== null && 'porter' in message;
}

const gone = () => new RelayError('unavailable', 'The other process is gone.');
