import type { Element } from '@xmpp/xml';
import { Refusal } from '../../base/errors.ts';
import { parseBareJid, parseJid } from '../../base/jid.ts';
import type { RoomOptions } from './message-sender.ts';
import { MucRoom } from './room.ts';
import type { RoomConnection } from './room-presence.ts';

export type MucRoomsOptions = RoomConnection & {
  /** Milliseconds that the sender stays in a room after its last message to the room. */
  readonly roomIdle: () => number;
};

const MAX_ROOMS = 100;

interface Entry {
  readonly room: MucRoom;
  /** Leaves the room when it fires. */
  timer: NodeJS.Timeout | undefined;
}

/** The rooms of one sender. At the limit, the room that was idle for longest is left. */
export class MucRooms {
  readonly #options: MucRoomsOptions;
  readonly #senderJid: string;
  /** By bare JID; the most recently used is the last. */
  readonly #rooms = new Map<string, Entry>();

  /** The local part of `senderJid` is the default nick. */
  constructor(options: MucRoomsOptions, senderJid: string) {
    this.#options = options;
    this.#senderJid = senderJid;
  }

  get size(): number {
    return this.#rooms.size;
  }

  /** Sends to the room in `to`. Resolves when the room has reflected the message. */
  async send(message: Element, id: string, { nick, password }: RoomOptions): Promise<void> {
    const bare = roomJid(message);
    const entry = this.#open(bare);
    try {
      await entry.room.send(message, id, { nick: nick || defaultNick(this.#senderJid), password });
    } finally {
      this.#closeLater(bare, entry);
    }
  }

  /** Returns true for every stanza from one of the rooms. It needs no other handler. */
  handleStanza(stanza: Element): boolean {
    const { from = '' } = stanza.attrs;
    const slash = from.indexOf('/');
    const entry = this.#rooms.get(slash < 0 ? from : from.slice(0, slash));
    entry?.room.handleStanza(stanza);
    return entry !== undefined;
  }

  leaveAll(): void {
    for (const [bare, entry] of this.#rooms) this.#close(bare, entry);
  }

  handleDisconnect(): void {
    for (const { room, timer } of this.#rooms.values()) {
      clearTimeout(timer);
      room.handleDisconnect();
    }
    this.#rooms.clear();
  }

  #open(bare: string): Entry {
    const entry = this.#rooms.get(bare) ?? { room: new MucRoom(this.#options, bare), timer: undefined };
    if (!this.#rooms.has(bare)) this.#leaveIdleRoomIfFull();
    this.#rooms.delete(bare);
    this.#rooms.set(bare, entry);
    clearTimeout(entry.timer);
    return entry;
  }

  /** At the limit, leaves the room that was idle for longest. Throws `Refusal` (`busy`) if none is idle. */
  #leaveIdleRoomIfFull(): void {
    if (this.#rooms.size < MAX_ROOMS) return;
    const idle = [...this.#rooms].find(([, { room }]) => room.isIdle);
    if (idle === undefined) throw new Refusal('busy');
    this.#close(...idle);
  }

  #close(bare: string, { room, timer }: Entry): void {
    clearTimeout(timer);
    this.#rooms.delete(bare);
    room.leave();
  }

  #closeLater(bare: string, entry: Entry): void {
    if (!entry.room.isIdle || this.#rooms.get(bare) !== entry) return;
    clearTimeout(entry.timer);
    // The next message to the room stops the timer.
    const close = () => this.#close(bare, entry);
    if (entry.room.isJoined) entry.timer = setTimeout(close, this.#options.roomIdle()).unref();
    else close();
  }
}

function roomJid(message: Element): string {
  const bare = parseBareJid(message.attrs.to ?? '');
  if (bare === undefined) {
    throw new Refusal('bad_request', { text: 'The address of the room is not a valid JID.' });
  }
  return bare;
}

function defaultNick(jid: string): string {
  const parsed = parseJid(jid);
  return parsed?.local || parsed?.domain || 'porter';
}
