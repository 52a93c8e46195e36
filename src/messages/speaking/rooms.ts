import type { Element } from '@xmpp/xml';
import { Refusal } from '../../base/errors.ts';
import { bareJid, parseJid } from '../../base/jid.ts';
import type { RoomEntry } from '../speaker.ts';
import { openRoom, type Room, type RoomDeps } from './room.ts';

export interface RoomsDeps extends RoomDeps {
  /** Milliseconds that a room is kept after the last message to it. */
  readonly roomIdle: () => number;
}

/** The rooms that one speaker is in. */
export interface Rooms {
  /** Resolves when the room has sent the message back. `to` of the message is the room. */
  say(message: Element, id: string, entry: RoomEntry): Promise<void>;
  /** Is this from one of the rooms? All that they say is swallowed here. */
  hear(stanza: Element): boolean;
  readonly size: number;
  /** Goes out of all of them. */
  leave(): void;
  fail(): void;
}

const MAX_ROOMS = 100;

interface Kept {
  readonly room: Room;
  timer: NodeJS.Timeout | undefined;
}

/** `jid` is the speaker's, whose local part is its name where no other is given. */
export function createRooms(deps: RoomsDeps, jid: string): Rooms {
  /** By bare JID, the one used last at the end. */
  const kept = new Map<string, Kept>();

  function open(bare: string): Kept {
    const entry = kept.get(bare) ?? { room: openRoom(deps, bare), timer: undefined };
    if (!kept.has(bare)) makeRoom();
    kept.delete(bare);
    kept.set(bare, entry);
    clearTimeout(entry.timer);
    return entry;
  }

  function makeRoom(): void {
    if (kept.size < MAX_ROOMS) return;
    const unused = [...kept].find(([, { room }]) => room.isQuiet);
    if (unused === undefined) throw new Refusal('busy');
    drop(...unused);
  }

  function drop(bare: string, { room, timer }: Kept): void {
    clearTimeout(timer);
    kept.delete(bare);
    room.leave();
  }

  function dropLater(bare: string, entry: Kept): void {
    if (!entry.room.isQuiet || kept.get(bare) !== entry) return;
    clearTimeout(entry.timer);
    if (entry.room.isJoined) {
      // Whatever is said to the room stops this.
      entry.timer = setTimeout(() => drop(bare, entry), deps.roomIdle()).unref();
    } else drop(bare, entry);
  }

  return {
    async say(message, id, { nick, password }) {
      const bare = roomOf(message);
      const entry = open(bare);
      try {
        await entry.room.say(message, id, { nick: nick || nameOf(jid), password });
      } finally {
        dropLater(bare, entry);
      }
    },
    hear(stanza) {
      const { from = '' } = stanza.attrs;
      const slash = from.indexOf('/');
      const entry = kept.get(slash < 0 ? from : from.slice(0, slash));
      entry?.room.hear(stanza);
      return entry !== undefined;
    },
    get size() {
      return kept.size;
    },
    leave() {
      for (const [bare, entry] of kept) drop(bare, entry);
    },
    fail() {
      for (const { room, timer } of kept.values()) {
        clearTimeout(timer);
        room.fail();
      }
      kept.clear();
    },
  };
}

function roomOf(message: Element): string {
  const bare = bareJid(message.attrs.to ?? '');
  if (bare === undefined) throw new Refusal('bad_request', { text: 'That is no JID of a room.' });
  return bare;
}

function nameOf(jid: string): string {
  const parsed = parseJid(jid);
  return parsed?.local || parsed?.domain || 'porter';
}
