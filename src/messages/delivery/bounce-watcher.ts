import type { Element } from '@xmpp/xml';
import { parseBareJid } from '../../base/jid.ts';
import { refusalFromErrorStanza } from './bounce-refusal.ts';

/** Messages whose sender still listens for a bounce. */
export interface BounceWatcher {
  /** Calls `onBounce` with the refusal when the message comes back, until the returned function is called. */
  watch(id: string, to: string, onBounce: (refusal: unknown) => void): () => void;
  /** Is this message of type error one of them? */
  handleErrorMessage(message: Element): boolean;
  readonly size: number;
}

interface Watch {
  readonly to: string;
  readonly onBounce: (refusal: unknown) => void;
}

/** `isOwnServer` says whether an error from there is the server's own. */
export function createBounceWatcher(isOwnServer: (from: string | undefined) => boolean): BounceWatcher {
  /** One id may be used for several recipients. */
  const watches = new Map<string, Set<Watch>>();
  return {
    watch(id, to, onBounce) {
      const watch = { to: parseBareJid(to) ?? to, onBounce };
      const together = watches.get(id) ?? new Set();
      watches.set(id, together.add(watch));
      return () => {
        together.delete(watch);
        if (together.size === 0 && watches.get(id) === together) watches.delete(id);
      };
    },
    handleErrorMessage(message) {
      const together = watches.get(message.attrs.id ?? '');
      if (together === undefined) return false;
      const { from } = message.attrs;
      const bare = parseBareJid(from ?? '');
      for (const { to, onBounce } of together) {
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
