import type { Element } from '@xmpp/xml';
import { formatBareJid, parseJid } from '../../base/jid.ts';

const MUC = 'http://jabber.org/protocol/muc';
const MAX_KEPT = 10_000;

/** Under which names senders have entered rooms by presence of their own, so that what they say there keeps to it. */
export interface RoomNicks {
  recordPresence(sender: string, presence: Element): void;
  getNick(sender: string, room: string): string | undefined;
}

/** Of the last ten thousand. */
export function createRoomNicks(): RoomNicks {
  const nicks = new Map<string, string>();
  return {
    recordPresence(sender, { attrs: { to = '', type }, ...presence }) {
      const jid = parseJid(to);
      if (jid === undefined || jid.resource === '') return;
      const key = keyOf(sender, formatBareJid(jid));
      const isKnown = nicks.delete(key);
      const enters = presence.children.some((child) => typeof child !== 'string' && child.is('x', MUC));
      if (type !== undefined || !(isKnown || enters)) return;
      nicks.set(key, jid.resource);
      const [oldest] = nicks.keys();
      if (nicks.size > MAX_KEPT && oldest !== undefined) nicks.delete(oldest);
    },
    getNick: (sender, room) => nicks.get(keyOf(sender, room)),
  };
}

const keyOf = (sender: string, room: string) => `${sender} ${room}`;
