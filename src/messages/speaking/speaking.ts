import xml, { type Element } from '@xmpp/xml';
import { Refusal } from '../../base/errors.ts';
import { randomId } from '../../base/ids.ts';
import { bareJid, parseJid } from '../../base/jid.ts';
import { fitForXml } from '../characters.ts';
import type { DeliveryOptions, Speaker } from '../speaker.ts';
import { createAnswers } from './answers.ts';
import { createBounces } from './bounces.ts';
import type { Channel } from './channel.ts';
import { createRooms } from './rooms.ts';

export interface SpeakingDeps {
  readonly channel: Pick<Channel, 'post'>;
  /** Milliseconds. */
  readonly answerTimeout: () => number;
  /** Milliseconds. */
  readonly roomIdle: () => number;
}

/** A speaker on a stream that is up, and what the stream tells it. */
export interface Speaking {
  readonly speaker: Speaker;
  /** Was this stanza for something that waits here? Called for every stanza to the speaker's JID. */
  hear(stanza: Element): boolean;
  /** Nothing waits, and no room is joined. */
  readonly isIdle: boolean;
  readonly rooms: number;
  /** Goes out of all rooms. */
  leave(): void;
  /** The stream is gone. */
  fail(): void;
}

/** `from` = stanzas say whom they are from, because the stream may speak for others too. */
export function startSpeaking(deps: SpeakingDeps, jid: string, { from }: { from: boolean }): Speaking {
  const { channel } = deps;
  const domain = parseJid(jid)?.domain ?? jid;
  const own = new Set([jid, bareJid(jid) ?? jid, domain]);
  const answers = createAnswers();
  const bounces = createBounces((sender) => sender === undefined || own.has(sender));
  const rooms = createRooms({ ...deps, post }, jid);

  /** Takes its stanza for a moment only: nothing of it is changed. */
  function post(stanza: Element, id = stanza.attrs.id): Promise<void> {
    const { xmlns: _, ...attrs } = stanza.attrs;
    const copy = xml(stanza.name, { ...attrs, id, from: from ? jid : undefined });
    copy.children = stanza.children;
    return channel.post(fitForXml(copy.toString()));
  }

  async function deliver(message: Element, { bounceWait, room }: DeliveryOptions): Promise<void> {
    const { id = randomId(), to = jid, type } = message.attrs;
    if (type === 'groupchat') return rooms.say(message, id, room ?? {});
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const unwatch = bounces.watch(id, to, reject);
    let timer: NodeJS.Timeout | undefined;
    let isOver = false;
    const taken = () => {
      if (bounceWait === 0) resolve();
      else if (!isOver) timer = setTimeout(resolve, bounceWait);
    };
    post(message, id).then(taken, reject);
    try {
      await promise;
    } finally {
      isOver = true;
      clearTimeout(timer);
      unwatch();
    }
  }

  function hearMessage(message: Element): boolean {
    if (answers.size > 0 && answers.hearMessage(message)) return true;
    if (message.attrs.type === 'error' && bounces.hear(message)) return true;
    return rooms.hear(message);
  }

  return {
    speaker: {
      jid,
      deliver,
      async ask(iq, timeoutMs, takes) {
        const { id, type } = iq.attrs;
        if (type !== 'get' && type !== 'set') {
          throw new Refusal('bad_request', { text: 'Only an iq of type get or set has an answer.' });
        }
        return answers.wait({ id, takes }, timeoutMs, (ours) => post(iq, ours));
      },
      send: (stanza) => post(stanza),
    },
    hear(stanza) {
      if (stanza.name === 'message') return hearMessage(stanza);
      if (stanza.name === 'presence') return rooms.hear(stanza);
      const { type } = stanza.attrs;
      return (type === 'result' || type === 'error') && answers.hear(stanza);
    },
    get isIdle() {
      return rooms.size === 0 && answers.size === 0 && bounces.size === 0;
    },
    get rooms() {
      return rooms.size;
    },
    leave: rooms.leave,
    fail() {
      answers.fail();
      rooms.fail();
    },
  };
}
