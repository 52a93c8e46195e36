import type { Element } from '@xmpp/xml';
import { Refusal } from '../../base/errors.ts';
import { parseBareJid, parseJid } from '../../base/jid.ts';
import type { RoomOptions } from './message-sender.ts';
import { createMucRoom, type MucRoom, type RoomConnection } from './room.ts';

export interface MucRoomsOptions extends RoomConnection {
  /** Milliseconds that a room is kept after the last message to it. */
  readonly roomIdle: () => number;
}

/** The rooms that one speaker is in. */
export interface MucRooms {
  /** Resolves when the room has sent the message back. `to` of the message is the room. */
  send(message: Element, id: string, entry: RoomOptions): Promise<void>;
  /** Is this from one of the rooms? All that they say is swallowed here. */
  handleStanza(stanza: Element): boolean;
  readonly size: number;
  /** Goes out of all of them. */
  leaveAll(): void;
  handleDisconnect(): void;
}

const MAX_ROOMS = 100;

interface Kept {
  readonly room: MucRoom;
  timer: NodeJS.Timeout | undefined;
}

/** `jid` is the speaker's, whose local part is its name where no other is given. */
export function createMucRooms(deps: MucRoomsOptions, jid: string): MucRooms {
  /** By bare JID, the one used last at the end. */
  const kept = new Map<string, Kept>();

  function open(bare: string): Kept {
    const entry = kept.get(bare) ?? { room: createMucRoom(deps, bare), timer: undefined };
    if (!kept.has(bare)) makeRoom();
    kept.delete(bare);
    kept.set(bare, entry);
    clearTimeout(entry.timer);
    return entry;
  }

  function makeRoom(): void {
    if (kept.size < MAX_ROOMS) return;
    const unused = [...kept].find(([, { room }]) => room.isIdle);
    if (unused === undefined) throw new Refusal('busy');
    drop(...unused);
  }

  function drop(bare: string, { room, timer }: Kept): void {
    clearTimeout(timer);
    kept.delete(bare);
    room.leave();
  }

  function dropLater(bare: string, entry: Kept): void {
    if (!entry.room.isIdle || kept.get(bare) !== entry) return;
    clearTimeout(entry.timer);
    if (entry.room.isJoined) {
      // Whatever is said to the room stops this.
      entry.timer = setTimeout(() => drop(bare, entry), deps.roomIdle()).unref();
    } else drop(bare, entry);
  }

  return {
    async send(message, id, { nick, password }) {
      const bare = roomOf(message);
      const entry = open(bare);
      try {
        await entry.room.send(message, id, { nick: nick || nameOf(jid), password });
      } finally {
        dropLater(bare, entry);
      }
    },
    handleStanza(stanza) {
      const { from = '' } = stanza.attrs;
      const slash = from.indexOf('/');
      const entry = kept.get(slash < 0 ? from : from.slice(0, slash));
      entry?.room.handleStanza(stanza);
      return entry !== undefined;
    },
    get size() {
      return kept.size;
    },
    leaveAll() {
      for (const [bare, entry] of kept) drop(bare, entry);
    },
    handleDisconnect() {
      for (const { room, timer } of kept.values()) {
        clearTimeout(timer);
        room.handleDisconnect();
      }
      kept.clear();
    },
  };
}

function roomOf(message: Element): string {
  const bare = parseBareJid(message.attrs.to ?? '');
  if (bare === undefined) throw new Refusal('bad_request', { text: 'That is no JID of a room.' });
  return bare;
}

function nameOf(jid: string): string {
  const parsed = parseJid(jid);
  return parsed?.local || parsed?.domain || 'porter';
}
