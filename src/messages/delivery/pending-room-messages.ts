import type { Element } from '@xmpp/xml';
import { Refusal } from '../../base/errors.ts';
import { STANZA_IDS } from '../../stanza/namespaces.ts';

/** A message that its room has not reflected yet. */
export interface PendingRoomMessage {
  readonly id: string;
  /** The sender's nick at the time of sending. */
  readonly nick: string;
  readonly message: Element;
  /** Resolves when the room has reflected the message. */
  readonly reflected: Promise<void>;
  readonly resolve: () => void;
  readonly reject: (reason: unknown) => void;
}

/** The messages to one room that wait for their reflection. */
export interface PendingRoomMessages {
  add(message: Element, id: string, nick: string): PendingRoomMessage;
  remove(pending: PendingRoomMessage): void;
  find(id: string | undefined): PendingRoomMessage | undefined;
  /** Handles a message from the room with this bare JID. */
  handleMessage(message: Element, room: string): void;
  rejectAll(): void;
  readonly size: number;
}

export function createPendingRoomMessages(): PendingRoomMessages {
  /** In the order of sending. */
  const all = new Set<PendingRoomMessage>();
  const byId = new Map<string, PendingRoomMessage>();

  /** Rooms keep the id, or the origin-id, or at least body and subject. They are compared in this order. */
  function findReflected(message: Element, nick: string): PendingRoomMessage | undefined {
    const { id = '' } = message.attrs;
    const originId = message.getChild('origin-id', STANZA_IDS)?.attrs.id ?? '';
    const sameId = byId.get(id) ?? byId.get(originId);
    if (sameId !== undefined) return sameId.nick === nick ? sameId : undefined;
    for (const pending of all) {
      if (pending.nick === nick && hasSameText(pending.message, message)) return pending;
    }
    return undefined;
  }

  return {
    add(message, id, nick) {
      const { promise: reflected, resolve, reject } = Promise.withResolvers<void>();
      const pending = { id, nick, message, reflected, resolve, reject };
      all.add(pending);
      byId.set(id, pending);
      return pending;
    },
    remove(pending) {
      all.delete(pending);
      if (byId.get(pending.id) === pending) byId.delete(pending.id);
    },
    find: (id) => byId.get(id ?? ''),
    handleMessage(message, room) {
      if (all.size === 0) return;
      const nick = (message.attrs.from ?? '').slice(room.length + 1);
      if (nick !== '') findReflected(message, nick)?.resolve();
    },
    rejectAll() {
      for (const { reject } of all) reject(new Refusal('no_answer'));
    },
    get size() {
      return all.size;
    },
  };
}

function hasSameText(sent: Element, received: Element): boolean {
  const text = (message: Element, name: string) => message.getChild(name)?.getText();
  return text(sent, 'body') === text(received, 'body') && text(sent, 'subject') === text(received, 'subject');
}
