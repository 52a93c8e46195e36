import xml, { type Element } from '@xmpp/xml';
import { Refusal } from '../../base/errors.ts';
import { errorCondition, JOIN_ERROR_TEXTS, refusalFromErrorStanza } from './bounce-refusal.ts';
import type { JoinOptions, RoomConnection } from './room.ts';

/** A speaker's place in a room: how it comes in, under which name, and when it is put out. */
export interface RoomPresence {
  /** The name in the room now; undefined outside. */
  readonly nick: string | undefined;
  /** Resolves when the speaker is inside under this name, or one made from it where that is taken. */
  join(entry: JoinOptions): Promise<void>;
  handlePresence(presence: Element): void;
  leave(): void;
  /** It turned out that we are not inside. */
  markOutside(): void;
  handleDisconnect(): void;
}

const MUC = 'http://jabber.org/protocol/muc';
const MUC_USER = `${MUC}#user`;
/** XEP-0045 §15.6. */
const SELF = '110';
const CREATED = '201';
const GIVEN = '210';
const RENAMED = '303';
const NAMES_TO_TRY = 5;
/** ejabberd loses who comes in the moment in which a room that its last occupant has left is put away. */
const ASK_AGAIN = 3_000;

interface Try {
  readonly nick: string;
  /** With the name that the room gave to us. */
  readonly resolve: (nick: string) => void;
  readonly reject: (reason: unknown) => void;
}

export function createRoomPresence({ send, answerTimeout }: RoomConnection, room: string): RoomPresence {
  let nick: string | undefined;
  /** What was wished when it got `nick`. */
  let wished: string | undefined;
  let trying: Try | undefined;

  /** One name; resolves with the one that the room gave. Rejects with the error presence, or a `Refusal`. */
  async function tryName(name: string, password: string | undefined): Promise<string> {
    let patience: NodeJS.Timeout | undefined;
    let again: NodeJS.Timeout | undefined;
    try {
      return await new Promise<string>((resolve, reject) => {
        trying = { nick: name, resolve, reject };
        const join = nick === undefined ? [joinElement(password)] : [];
        const come = () => void send(xml('presence', { to: `${room}/${name}` }, ...join)).catch(reject);
        come();
        again = setTimeout(come, ASK_AGAIN);
        patience = setTimeout(() => reject(new Refusal('no_answer', { text: SILENT })), answerTimeout());
      });
    } finally {
      clearTimeout(patience);
      clearTimeout(again);
      trying = undefined;
    }
  }

  /** The names one after the other, until one is free. */
  async function tryNames(entry: JoinOptions): Promise<string> {
    for (let attempt = 1; ; attempt += 1) {
      const name = attempt === 1 ? entry.nick : `${entry.nick}-${attempt}`;
      try {
        return await tryName(name, entry.password);
      } catch (error) {
        if (!(error instanceof JoinError)) throw error;
        if (error.condition !== 'conflict' || attempt === NAMES_TO_TRY) throw error.refusal;
      }
    }
  }

  function leave(): void {
    if (nick === undefined) return;
    send(xml('presence', { to: `${room}/${nick}`, type: 'unavailable' })).catch(() => {
      // The stream is gone, and we are out with it.
    });
    nick = undefined;
  }

  async function enter(entry: JoinOptions): Promise<void> {
    if (nick !== undefined && wished === entry.nick) return;
    const isInside = nick !== undefined;
    try {
      nick = await tryNames(entry);
    } catch (error) {
      // A room may forbid to change names. Better that the message comes from the old one than not at all.
      if (!isInside || nick === undefined || !(error instanceof Refusal && error.code === 'bounced'))
        throw error;
    }
    wished = entry.nick;
  }

  function welcome(name: string, codes: ReadonlySet<string | undefined>): void {
    if (!codes.has(CREATED)) {
      if (trying === undefined) nick = name;
      // While a name changes, the old one may still be heard of.
      else if (nick === undefined || name === trying.nick || codes.has(GIVEN)) trying.resolve(name);
      return;
    }
    // Nobody would read what is said in a room that a slip of the pen has made.
    nick = name;
    leave();
    const text = `The message to ${room} came back: ${JOIN_ERROR_TEXTS['item-not-found']}.`;
    trying?.reject(new Refusal('bounced', { condition: 'item-not-found', text }));
  }

  function goodbye(): void {
    nick = undefined;
    trying?.reject(new Refusal('bounced', { condition: 'not-allowed', text: `${room} has put you out.` }));
  }

  return {
    get nick() {
      return nick;
    },
    join: enter,
    leave,
    handlePresence(presence) {
      const { from = '', type } = presence.attrs;
      const name = from.slice(room.length + 1);
      if (type === 'error') {
        // Of a name tried before, asked for once more.
        if (trying && name !== '' && name !== trying.nick) return;
        if (trying) trying.reject(new JoinError(presence, room));
        else nick = undefined;
        return;
      }
      const codes = statusCodes(presence);
      // Old rooms have no such code, but nobody else can have our name.
      const isUs = codes.has(SELF) || name === (nick ?? trying?.nick);
      if (!isUs) return;
      if (type === undefined) welcome(name, codes);
      else if (type === 'unavailable' && !codes.has(RENAMED) && nick !== undefined) goodbye();
    },
    markOutside() {
      nick = undefined;
    },
    handleDisconnect() {
      nick = undefined;
      trying?.reject(new Refusal('no_answer'));
    },
  };
}

const SILENT = 'The room does not answer.';

class JoinError extends Error {
  readonly condition: string;
  readonly refusal: Refusal;

  constructor(presence: Element, room: string) {
    super('the room refuses');
    this.condition = errorCondition(presence);
    this.refusal = refusalFromErrorStanza(presence, room, JOIN_ERROR_TEXTS);
  }
}

/** Nothing of what was said before we came. */
function joinElement(password: string | undefined): Element {
  const history = xml('history', { maxstanzas: '0' });
  return xml('x', MUC, ...(password === undefined ? [] : [xml('password', {}, password)]), history);
}

function statusCodes(presence: Element): ReadonlySet<string | undefined> {
  const marks = presence.getChild('x', MUC_USER)?.getChildren('status') ?? [];
  return new Set(marks.map(({ attrs }) => attrs.code));
}
