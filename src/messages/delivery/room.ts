import xml, { type Element } from '@xmpp/xml';
import { Refusal } from '../../base/errors.ts';
import { errorCondition, ROOM_ERROR_TEXTS, refusalFromErrorStanza } from './bounce-refusal.ts';
import { createPendingRoomMessages, type PendingRoomMessage } from './pending-room-messages.ts';
import { createRoomPresence } from './room-presence.ts';

/** What a room of a speaker works with. */
export interface RoomConnection {
  /** Resolves when the server has taken it. */
  readonly send: (stanza: Element) => Promise<void>;
  /** Milliseconds. */
  readonly answerTimeout: () => number;
}

/** How a speaker comes in. */
export interface JoinOptions {
  readonly nick: string;
  readonly password: string | undefined;
}

/** One room (XEP-0045), as one speaker sees it. */
export interface MucRoom {
  /** Joins where it is not in there under this name, writes, and resolves when the room has sent it back. */
  send(message: Element, id: string, entry: JoinOptions): Promise<void>;
  handleStanza(stanza: Element): void;
  /** Nobody waits for anything here. */
  readonly isIdle: boolean;
  readonly isJoined: boolean;
  leave(): void;
  /** The stream is gone, and what the room still knows of us with it. */
  handleDisconnect(): void;
}

const ORIGIN_ID = 'urn:xmpp:sid:0';

export function createMucRoom(deps: RoomConnection, jid: string): MucRoom {
  const { send, answerTimeout } = deps;
  const presence = createRoomPresence(deps, jid);
  const sayings = createPendingRoomMessages();
  /** Comings, renamings and writings one after the other, in the order of the calls. */
  let turn: Promise<unknown> = Promise.resolve();
  let inTurn = 0;
  let failed: { readonly entry: JoinOptions; readonly error: unknown; readonly at: number } | undefined;

  /** Who waits while others try to come in the same way shares what becomes of it. */
  async function be(entry: JoinOptions, calledAt: number): Promise<void> {
    if (failed && failed.at >= calledAt && sameEntry(failed.entry, entry)) throw failed.error;
    if (performance.now() - calledAt > answerTimeout()) throw new Refusal('busy');
    try {
      await presence.join(entry);
    } catch (error) {
      failed = { entry, error, at: performance.now() };
      throw error;
    }
  }

  function write(message: Element, id: string): PendingRoomMessage {
    const saying = sayings.add(message, id, presence.nick ?? '');
    const timer = setTimeout(
      () => saying.reject(new Refusal('no_answer', { text: SILENT })),
      answerTimeout(),
    );
    const end = () => {
      clearTimeout(timer);
      sayings.remove(saying);
    };
    saying.reflected.then(end, end);
    send(withOriginId(message, id)).catch(saying.reject);
    return saying;
  }

  /** Resolves when it is written, with what resolves when it is heard. */
  function sayInTurn(message: Element, id: string, entry: JoinOptions): Promise<PendingRoomMessage> {
    const calledAt = performance.now();
    inTurn += 1;
    const wrote = turn
      .then(() => be(entry, calledAt))
      .then(() => write(message, id))
      .finally(() => {
        inTurn -= 1;
      });
    turn = wrote.catch(() => undefined);
    return wrote;
  }

  return {
    async send(message, id, entry) {
      try {
        await (await sayInTurn(message, id, entry)).reflected;
      } catch (error) {
        if (!(error instanceof NotInside)) throw error;
        // It was put out, and had not heard of it: the message reached nobody.
        const saying = await sayInTurn(message, id, entry);
        await saying.reflected.catch((again: unknown) => {
          throw again instanceof NotInside ? again.refusal : again;
        });
      }
    },
    handleStanza(stanza) {
      if (stanza.name === 'presence') presence.handlePresence(stanza);
      else if (stanza.attrs.type === 'error') refuse(stanza);
      else sayings.handleMessage(stanza, jid);
    },
    get isIdle() {
      return sayings.size === 0 && inTurn === 0;
    },
    get isJoined() {
      return presence.nick !== undefined;
    },
    leave: presence.leave,
    handleDisconnect() {
      presence.handleDisconnect();
      sayings.rejectAll();
    },
  };

  function refuse(stanza: Element): void {
    const saying = sayings.find(stanza.attrs.id);
    if (saying === undefined) return;
    const refusal = refusalFromErrorStanza(stanza, jid, ROOM_ERROR_TEXTS);
    const isOutside = errorCondition(stanza) === 'not-acceptable';
    if (isOutside) presence.markOutside();
    saying.reject(isOutside ? new NotInside(refusal) : refusal);
  }
}

const SILENT = 'The room has not sent the message back in time.';

/** The room says that who writes is not in it (XEP-0045 §7.4). */
class NotInside extends Error {
  readonly refusal: Refusal;

  constructor(refusal: Refusal) {
    super(refusal.message);
    this.refusal = refusal;
  }
}

function sameEntry(a: JoinOptions, b: JoinOptions): boolean {
  return a.nick === b.nick && a.password === b.password;
}

/** XEP-0359: rooms may give a message another id, and leave this one. */
function withOriginId(message: Element, id: string): Element {
  const copy = xml(message.name, { ...message.attrs, id });
  copy.children = message.getChild('origin-id', ORIGIN_ID)
    ? message.children
    : [...message.children, xml('origin-id', { xmlns: ORIGIN_ID, id })];
  return copy;
}
