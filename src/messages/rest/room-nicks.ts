import type { Element } from '@xmpp/xml';
import { LRUCache } from 'lru-cache';
import { formatBareJid, parseJid } from '../../base/jid.ts';
import { MUC } from '../../stanza/namespaces.ts';

const MAX_ENTRIES = 10_000;

/** The nicks under which senders joined rooms by presence, so that their later messages use the same nick. */
export interface RoomNicks {
  /** Remembers a join or a change of nick, and forgets the nick after the sender left the room. */
  recordPresence(sender: string, presence: Element): void;
  getNick(sender: string, room: string): string | undefined;
}

/** Keeps the most recent entries only. */
export function createRoomNicks(): RoomNicks {
  const nicks = new LRUCache<string, string>({ max: MAX_ENTRIES });
  return {
    recordPresence(sender, { attrs: { to = '', type }, ...presence }) {
      const jid = parseJid(to);
      if (jid === undefined || jid.resource === '') return;
      const key = toKey(sender, formatBareJid(jid));
      const isKnown = nicks.delete(key);
      const isJoin = presence.children.some((child) => typeof child !== 'string' && child.is('x', MUC));
      if (type === undefined && (isKnown || isJoin)) nicks.set(key, jid.resource);
    },
    // Reading does not count as use: only presence keeps an entry.
    getNick: (sender, room) => nicks.peek(toKey(sender, room)),
  };
}

const toKey = (sender: string, room: string) => `${sender} ${room}`;
