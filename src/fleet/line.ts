import { RelayFault, type RelayFaultKind } from '../base/relay.ts';
import { inTime } from './in-time.ts';

/** Unanswered questions that one end keeps in mind. */
const MAX_PENDING = 5000;

type Handler = (payload: unknown) => unknown;

/** Questions and answers between the supervisor and one worker, over the channel that Node gives them. */
export interface Line {
  /** @throws RelayFault */
  ask(verb: string, payload: unknown, timeoutMs: number): Promise<unknown>;
  serve(verb: string, handler: Handler): void;
  /** Every message of the channel goes in here; those of others are passed over. */
  take(message: unknown): void;
  /** The other end is gone. */
  end(): void;
}

type Message =
  | { readonly porter: 'ask'; readonly id: number; readonly verb: string; readonly payload: unknown }
  | { readonly porter: 'answer'; readonly id: number; readonly value: unknown }
  | { readonly porter: 'fault'; readonly id: number; readonly kind: RelayFaultKind; readonly text: string };

export function createLine(send: (message: Message) => void): Line {
  const handlers = new Map<string, Handler>();
  const pending = new Map<number, PromiseWithResolvers<unknown>>();
  let ended = false;
  let count = 0;

  async function answer({ id, verb, payload }: Message & { porter: 'ask' }): Promise<void> {
    try {
      const handler = handlers.get(verb);
      if (handler === undefined) throw new RelayFault('unavailable', `Nobody serves "${verb}" here.`);
      send({ porter: 'answer', id, value: await handler(payload) });
    } catch (error) {
      const kind = error instanceof RelayFault ? error.kind : 'failed';
      send({ porter: 'fault', id, kind, text: error instanceof Error ? error.message : String(error) });
    }
  }

  function settle(message: Exclude<Message, { porter: 'ask' }>): void {
    const question = pending.get(message.id);
    if (message.porter === 'answer') question?.resolve(message.value);
    else question?.reject(new RelayFault(message.kind, message.text));
  }

  return {
    serve: (verb, handler) => void handlers.set(verb, handler),
    async ask(verb, payload, timeoutMs) {
      if (ended) throw gone();
      if (pending.size >= MAX_PENDING) throw new RelayFault('busy', 'Too many questions wait already.');
      count += 1;
      const id = count;
      const question = Promise.withResolvers<unknown>();
      pending.set(id, question);
      try {
        send({ porter: 'ask', id, verb, payload });
        return await inTime(question.promise, timeoutMs);
      } finally {
        pending.delete(id);
      }
    },
    take(message) {
      if (!isOurs(message)) return;
      if (message.porter === 'ask') void answer(message);
      else settle(message);
    },
    end() {
      ended = true;
      for (const question of pending.values()) question.reject(gone());
    },
  };
}

function isOurs(message: unknown): message is Message {
  return typeof message === 'object' && message !== null && 'porter' in message;
}

const gone = () => new RelayFault('unavailable', 'The other process is gone.');
