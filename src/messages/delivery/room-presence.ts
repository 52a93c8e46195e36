import xml, { type Element } from '@xmpp/xml';
import { Refusal } from '../../base/errors.ts';
import { MUC, MUC_USER } from '../../stanza/namespaces.ts';
import { errorCondition, JOIN_ERROR_TEXTS, refusalFromErrorStanza } from './bounce-refusal.ts';

/** The connection of a sender to its rooms. */
export interface RoomConnection {
  /** Resolves when the server has accepted the stanza. */
  readonly send: (stanza: Element) => Promise<void>;
  /** Returns milliseconds. */
  readonly answerTimeout: () => number;
}

export interface JoinOptions {
  readonly nick: string;
  readonly password: string | undefined;
}

/** Status codes of XEP-0045 §15.6. */
const SELF_PRESENCE = '110';
const ROOM_CREATED = '201';
const NICK_ASSIGNED = '210';
const NICK_CHANGED = '303';
/** If a nick is in use, `-2` to `-5` are appended to it. */
const MAX_NICKS = 5;
/** ejabberd ignores a join while it destroys a room that its last occupant left. The join is then repeated. */
const REPEAT_JOIN_MS = 3_000;

const NO_ANSWER = 'The room did not answer in time.';

interface JoinAttempt {
  readonly nick: string;
  /** Called with the nick that the room assigned. */
  readonly resolve: (nick: string) => void;
  readonly reject: (reason: unknown) => void;
}

/**
 * The presence of a sender in one room.
 *
 * | state   | `nick`    | `#attempt` | leaves the state by |
 * |---------|-----------|------------|---------------------|
 * | outside | undefined | –          | `join` |
 * | joining | undefined | set        | self-presence → inside; error, timeout or disconnect → outside |
 * | inside  | set       | –          | `leave`, removal by the room, `markOutside`, disconnect → outside; `join` with another nick → renaming |
 * | renaming| set       | set        | self-presence or error → inside; removal, disconnect → outside |
 */
export class RoomPresence {
  readonly #connection: RoomConnection;
  readonly #room: string;
  /** The nick that was requested when the room assigned `#nick`. */
  #requestedNick: string | undefined;
  #nick: string | undefined;
  #attempt: JoinAttempt | undefined;

  /** `room` is a bare JID. */
  constructor(connection: RoomConnection, room: string) {
    this.#connection = connection;
    this.#room = room;
  }

  /** The current nick; undefined outside the room. */
  get nick(): string | undefined {
    return this.#nick;
  }

  /** Resolves when the sender is in the room under this nick, or under a variant if the nick is in use. */
  async join(options: JoinOptions): Promise<void> {
    if (this.#nick !== undefined && this.#requestedNick === options.nick) return;
    const wasInside = this.#nick !== undefined;
    try {
      this.#nick = await this.#tryNicks(options);
    } catch (error) {
      // A room may forbid changes of nick. The message is then sent under the old one.
      const isRefused = error instanceof Refusal && error.code === 'bounced';
      if (!wasInside || this.#nick === undefined || !isRefused) throw error;
    }
    this.#requestedNick = options.nick;
  }

  leave(): void {
    if (this.#nick === undefined) return;
    const presence = xml('presence', { to: `${this.#room}/${this.#nick}`, type: 'unavailable' });
    this.#connection.send(presence).catch(() => {
      // Without a stream the server has removed the sender from the room already.
    });
    this.#nick = undefined;
  }

  handlePresence(presence: Element): void {
    const { from = '', type } = presence.attrs;
    const nick = from.slice(this.#room.length + 1);
    if (type === 'error') {
      this.#handleError(presence, nick);
      return;
    }
    const codes = statusCodes(presence);
    // Old rooms send no code 110, but each nick is unique in the room.
    const isSelf = codes.has(SELF_PRESENCE) || nick === (this.#nick ?? this.#attempt?.nick);
    if (!isSelf) return;
    if (type === undefined) this.#handleSelfPresence(nick, codes);
    else if (type === 'unavailable' && !codes.has(NICK_CHANGED) && this.#nick !== undefined) {
      this.#handleRemoval();
    }
  }

  /** Called when the room has rejected a message because the sender is not inside. */
  markOutside(): void {
    this.#nick = undefined;
  }

  handleDisconnect(): void {
    this.#nick = undefined;
    this.#attempt?.reject(new Refusal('no_answer'));
  }

  /** Tries variants of the nick until one is free. */
  async #tryNicks({ nick, password }: JoinOptions): Promise<string> {
    for (let number = 1; ; number += 1) {
      try {
        return await this.#tryNick(number === 1 ? nick : `${nick}-${number}`, password);
      } catch (error) {
        if (!(error instanceof JoinError)) throw error;
        if (error.condition !== 'conflict' || number === MAX_NICKS) throw error.refusal;
      }
    }
  }

  /** Resolves with the nick that the room assigned. Rejects with a `JoinError` or a `Refusal`. */
  async #tryNick(nick: string, password: string | undefined): Promise<string> {
    let timeout: NodeJS.Timeout | undefined;
    let repeat: NodeJS.Timeout | undefined;
    try {
      return await new Promise<string>((resolve, reject) => {
        this.#attempt = { nick, resolve, reject };
        const join = this.#nick === undefined ? [joinElement(password)] : [];
        const send = () => {
          this.#connection.send(xml('presence', { to: `${this.#room}/${nick}` }, ...join)).catch(reject);
        };
        send();
        repeat = setTimeout(send, REPEAT_JOIN_MS);
        const giveUp = () => reject(new Refusal('no_answer', { text: NO_ANSWER }));
        timeout = setTimeout(giveUp, this.#connection.answerTimeout());
      });
    } finally {
      clearTimeout(timeout);
      clearTimeout(repeat);
      this.#attempt = undefined;
    }
  }

  #handleError(presence: Element, nick: string): void {
    // The late answer to a repeated join under an earlier nick.
    if (this.#attempt && nick !== '' && nick !== this.#attempt.nick) return;
    if (this.#attempt) this.#attempt.reject(new JoinError(presence, this.#room));
    else this.#nick = undefined;
  }

  #handleSelfPresence(nick: string, codes: ReadonlySet<string | undefined>): void {
    if (codes.has(ROOM_CREATED)) this.#leaveCreatedRoom(nick);
    else if (this.#attempt === undefined) this.#nick = nick;
    // While the nick changes, presence under the old one may still arrive.
    else if (this.#nick === undefined || nick === this.#attempt.nick || codes.has(NICK_ASSIGNED)) {
      this.#attempt.resolve(nick);
    }
  }

  /** The room did not exist before, so the address is probably misspelt and the room is empty. */
  #leaveCreatedRoom(nick: string): void {
    this.#nick = nick;
    this.leave();
    const text = `The message to ${this.#room} was not delivered: ${JOIN_ERROR_TEXTS['item-not-found']}.`;
    this.#attempt?.reject(new Refusal('bounced', { condition: 'item-not-found', text }));
  }

  #handleRemoval(): void {
    this.#nick = undefined;
    const text = `The room ${this.#room} has removed the sender.`;
    this.#attempt?.reject(new Refusal('bounced', { condition: 'not-allowed', text }));
  }
}

class JoinError extends Error {
  readonly condition: string;
  readonly refusal: Refusal;

  constructor(presence: Element, room: string) {
    super('The room refused the join');
    this.condition = errorCondition(presence);
    this.refusal = refusalFromErrorStanza(presence, room, JOIN_ERROR_TEXTS);
  }
}

/** Requests no history. */
function joinElement(password: string | undefined): Element {
  const history = xml('history', { maxstanzas: '0' });
  return xml('x', MUC, ...(password === undefined ? [] : [xml('password', {}, password)]), history);
}

function statusCodes(presence: Element): ReadonlySet<string | undefined> {
  const statuses = presence.getChild('x', MUC_USER)?.getChildren('status') ?? [];
  return new Set(statuses.map(({ attrs }) => attrs.code));
}
