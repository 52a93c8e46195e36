import type { Element } from '@xmpp/xml';
import { Refusal } from '../../base/errors.ts';

/** A message to a room that the room has not sent back yet. */
export interface PendingRoomMessage {
  readonly id: string;
  /** Under which name it was written. */
  readonly nick: string;
  readonly message: Element;
  readonly reflected: Promise<void>;
  readonly resolve: () => void;
  readonly reject: (reason: unknown) => void;
}

export interface PendingRoomMessages {
  add(message: Element, id: string, nick: string): PendingRoomMessage;
  remove(saying: PendingRoomMessage): void;
  find(id: string | undefined): PendingRoomMessage | undefined;
  /** A message of the room whose bare JID this is. */
  handleMessage(message: Element, room: string): void;
  rejectAll(): void;
  readonly size: number;
}

const ORIGIN_ID = 'urn:xmpp:sid:0';

export function createPendingRoomMessages(): PendingRoomMessages {
  /** In the order in which they were written. */
  const waiting = new Set<PendingRoomMessage>();
  const byId = new Map<string, PendingRoomMessage>();

  /** Rooms keep the id, or the origin-id, or at least the words; in this order we believe them. */
  function findReflected(message: Element, nick: string): PendingRoomMessage | undefined {
    const { id = '' } = message.attrs;
    const originId = message.getChild('origin-id', ORIGIN_ID)?.attrs.id ?? '';
    const known = byId.get(id) ?? byId.get(originId);
    if (known !== undefined) return known.nick === nick ? known : undefined;
    for (const saying of waiting) {
      if (saying.nick === nick && sameWords(saying.message, message)) return saying;
    }
    return undefined;
  }

  return {
    add(message, id, nick) {
      const { promise: reflected, resolve, reject } = Promise.withResolvers<void>();
      const saying = { id, nick, message, reflected, resolve, reject };
      waiting.add(saying);
      byId.set(id, saying);
      return saying;
    },
    remove(saying) {
      waiting.delete(saying);
      if (byId.get(saying.id) === saying) byId.delete(saying.id);
    },
    find: (id) => byId.get(id ?? ''),
    handleMessage(message, room) {
      if (waiting.size === 0) return;
      const nick = (message.attrs.from ?? '').slice(room.length + 1);
      if (nick !== '') findReflected(message, nick)?.resolve();
    },
    rejectAll() {
      for (const { reject } of waiting) reject(new Refusal('no_answer'));
    },
    get size() {
      return waiting.size;
    },
  };
}

function sameWords(isPorter: Element, theirs: Element): boolean {
  const words = (message: Element, name: string) => message.getChild(name)?.getText();
  return (
    words(isPorter, 'body') === words(theirs, 'body') &&
    words(isPorter, 'subject') === words(theirs, 'subject')
  );
}
