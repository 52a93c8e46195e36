import type { Element } from '@xmpp/xml';
import { Refusal } from '../../base/errors.ts';
import { randomId } from '../../base/ids.ts';

interface PendingIq {
  /** Id that the caller gave to the iq; restored in the answer. */
  readonly originalId: string | undefined;
  readonly collect: ((message: Element) => boolean) | undefined;
  readonly resolve: (answer: Element) => void;
  readonly reject: (reason: unknown) => void;
}

/** The iqs of one sender that wait for their answers. */
export interface PendingIqs {
  /** Waits for the answer. `send` is called with the id under which the iq must be sent. */
  request(
    iq: { readonly id: string | undefined; readonly collect?: PendingIq['collect'] },
    timeoutMs: number,
    send: (id: string) => Promise<void>,
  ): Promise<Element>;
  /** Returns true if this iq of type result or error answers a pending iq. */
  handleResponse(iq: Element): boolean;
  /** Returns true if this message is part of an answer. */
  handleMessage(message: Element): boolean;
  readonly size: number;
  rejectAll(): void;
}

/** Each iq is sent under an unguessable id, so an answer with this id comes from the entity that received the iq. */
export function createPendingIqs(): PendingIqs {
  const pending = new Map<string, PendingIq>();
  return {
    async request({ id: originalId, collect }, timeoutMs, send) {
      const id = randomId();
      let timer: NodeJS.Timeout | undefined;
      try {
        return await new Promise<Element>((resolve, reject) => {
          pending.set(id, { originalId, collect, resolve, reject });
          timer = setTimeout(() => reject(new Refusal('no_answer')), timeoutMs);
          // The answer may arrive before the server confirms that it accepted the iq.
          send(id).catch(reject);
        });
      } finally {
        clearTimeout(timer);
        pending.delete(id);
      }
    },
    handleResponse(iq) {
      const request = pending.get(iq.attrs.id ?? '');
      if (request === undefined) return false;
      iq.attrs.id = request.originalId;
      request.resolve(iq);
      return true;
    },
    handleMessage(message) {
      for (const { collect } of pending.values()) if (collect?.(message)) return true;
      return false;
    },
    get size() {
      return pending.size;
    },
    rejectAll() {
      for (const { reject } of pending.values()) reject(new Refusal('no_answer'));
    },
  };
}
