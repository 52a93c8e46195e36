import xml, { type Element } from '@xmpp/xml';
import { Refusal } from '../../base/errors.ts';
import { STANZA_IDS } from '../../stanza/namespaces.ts';
import { errorCondition, ROOM_ERROR_TEXTS, refusalFromErrorStanza } from './bounce-refusal.ts';
import { createPendingRoomMessages, type PendingRoomMessage } from './pending-room-messages.ts';
import { type JoinOptions, type RoomConnection, RoomPresence } from './room-presence.ts';

const NO_REFLECTION = 'The room did not return the message in time.';

interface FailedJoin {
  readonly options: JoinOptions;
  readonly error: unknown;
  readonly at: number;
}

/**
 * One room (XEP-0045) of one sender.
 *
 * A message passes: wait for the turn → join if necessary → write → wait for the reflection by the room. The first
 * three steps run one after the other (`#turn`); reflections are awaited concurrently.
 */
export class MucRoom {
  readonly #connection: RoomConnection;
  readonly #jid: string;
  readonly #presence: RoomPresence;
  readonly #pending = createPendingRoomMessages();
  /** Joins, changes of nick and writes in the order of the calls. */
  #turn: Promise<unknown> = Promise.resolve();
  #turnsWaiting = 0;
  #failedJoin: FailedJoin | undefined;

  constructor(connection: RoomConnection, jid: string) {
    this.#connection = connection;
    this.#jid = jid;
    this.#presence = new RoomPresence(connection, jid);
  }

  /** True if no message is being sent. */
  get isIdle(): boolean {
    return this.#pending.size === 0 && this.#turnsWaiting === 0;
  }

  get isJoined(): boolean {
    return this.#presence.nick !== undefined;
  }

  /** Joins the room under this nick if necessary, writes, and resolves when the room has reflected the message. */
  async send(message: Element, id: string, options: JoinOptions): Promise<void> {
    try {
      await (await this.#sendInTurn(message, id, options)).reflected;
    } catch (error) {
      if (!(error instanceof NotInRoomError)) throw error;
      // The sender was removed without notice, and the message was not delivered. Joins and sends once more.
      const pending = await this.#sendInTurn(message, id, options);
      await pending.reflected.catch((retryError: unknown) => {
        throw retryError instanceof NotInRoomError ? retryError.refusal : retryError;
      });
    }
  }

  handleStanza(stanza: Element): void {
    if (stanza.name === 'presence') this.#presence.handlePresence(stanza);
    else if (stanza.attrs.type === 'error') this.#handleError(stanza);
    else this.#pending.handleMessage(stanza, this.#jid);
  }

  leave(): void {
    this.#presence.leave();
  }

  handleDisconnect(): void {
    this.#presence.handleDisconnect();
    this.#pending.rejectAll();
  }

  /** Resolves when the message is written. */
  #sendInTurn(message: Element, id: string, options: JoinOptions): Promise<PendingRoomMessage> {
    const calledAt = performance.now();
    this.#turnsWaiting += 1;
    const written = this.#turn
      .then(() => this.#join(options, calledAt))
      .then(() => this.#write(message, id))
      .finally(() => {
        this.#turnsWaiting -= 1;
      });
    this.#turn = written.catch(() => undefined);
    return written;
  }

  /** Messages that were already waiting when a join with the same options failed share its error. */
  async #join(options: JoinOptions, calledAt: number): Promise<void> {
    const failed = this.#failedJoin;
    if (failed && failed.at >= calledAt && isSameJoin(failed.options, options)) throw failed.error;
    if (performance.now() - calledAt > this.#connection.answerTimeout()) throw new Refusal('busy');
    try {
      await this.#presence.join(options);
    } catch (error) {
      this.#failedJoin = { options, error, at: performance.now() };
      throw error;
    }
  }

  #write(message: Element, id: string): PendingRoomMessage {
    const pending = this.#pending.add(message, id, this.#presence.nick ?? '');
    const giveUp = () => pending.reject(new Refusal('no_answer', { text: NO_REFLECTION }));
    const timer = setTimeout(giveUp, this.#connection.answerTimeout());
    const remove = () => {
      clearTimeout(timer);
      this.#pending.remove(pending);
    };
    pending.reflected.then(remove, remove);
    this.#connection.send(withOriginId(message, id)).catch(pending.reject);
    return pending;
  }

  #handleError(stanza: Element): void {
    const pending = this.#pending.find(stanza.attrs.id);
    if (pending === undefined) return;
    const refusal = refusalFromErrorStanza(stanza, this.#jid, ROOM_ERROR_TEXTS);
    const isOutside = errorCondition(stanza) === 'not-acceptable';
    if (isOutside) this.#presence.markOutside();
    pending.reject(isOutside ? new NotInRoomError(refusal) : refusal);
  }
}

/** The room reports that the sender is not an occupant (XEP-0045 §7.4). */
class NotInRoomError extends Error {
  readonly refusal: Refusal;

  constructor(refusal: Refusal) {
    super(refusal.message);
    this.refusal = refusal;
  }
}

function isSameJoin(a: JoinOptions, b: JoinOptions): boolean {
  return a.nick === b.nick && a.password === b.password;
}

/** XEP-0359: a room may replace the id of a message, but keeps its origin-id. */
function withOriginId(message: Element, id: string): Element {
  const copy = xml(message.name, { ...message.attrs, id });
  copy.children = message.getChild('origin-id', STANZA_IDS)
    ? message.children
    : [...message.children, xml('origin-id', { xmlns: STANZA_IDS, id })];
  return copy;
}
