import type { Element } from '@xmpp/xml';
import { parseBareJid } from '../../base/jid.ts';
import { refusalFromErrorStanza } from './bounce-refusal.ts';

/** Sent messages that may still bounce. */
export interface BounceWatcher {
  /** Calls `onBounce` with the refusal if the message bounces. Returns a function that ends the watch. */
  watch(id: string, to: string, onBounce: (refusal: unknown) => void): () => void;
  /** Returns true if this message of type error is the bounce of a watched message. */
  handleErrorMessage(message: Element): boolean;
  readonly size: number;
}

interface Watch {
  readonly to: string;
  readonly onBounce: (refusal: unknown) => void;
}

/** `isOwnServer` returns true for addresses of the sender's own server; its errors become `server_refused`. */
export function createBounceWatcher(isOwnServer: (from: string | undefined) => boolean): BounceWatcher {
  /** By message id. One id may be used for several recipients. */
  const watches = new Map<string, Set<Watch>>();
  return {
    watch(id, to, onBounce) {
      const watch = { to: parseBareJid(to) ?? to, onBounce };
      const sameId = watches.get(id) ?? new Set();
      watches.set(id, sameId.add(watch));
      return () => {
        sameId.delete(watch);
        if (sameId.size === 0 && watches.get(id) === sameId) watches.delete(id);
      };
    },
    handleErrorMessage(message) {
      const sameId = watches.get(message.attrs.id ?? '');
      if (sameId === undefined) return false;
      const { from } = message.attrs;
      const bare = parseBareJid(from ?? '');
      for (const { to, onBounce } of sameId) {
        if (to === bare) onBounce(refusalFromErrorStanza(message, to));
        else if (isOwnServer(from)) onBounce(refusalFromErrorStanza(message, to, {}, 'server_refused'));
        else continue;
        return true;
      }
      return false;
    },
    get size() {
      return watches.size;
    },
  };
}
