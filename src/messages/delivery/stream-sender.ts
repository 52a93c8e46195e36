import xml, { type Element } from '@xmpp/xml';
import { Refusal } from '../../base/errors.ts';
import { randomId } from '../../base/ids.ts';
import { parseBareJid, parseJid } from '../../base/jid.ts';
import { toXmlText } from '../../stanza/xml-text.ts';
import { createBounceWatcher } from './bounce-watcher.ts';
import type { DeliveryOptions, MessageSender } from './message-sender.ts';
import { createPendingIqs } from './pending-iqs.ts';
import { createMucRooms } from './rooms.ts';
import type { StanzaChannel } from './stanza-channel.ts';

export interface StreamSenderOptions {
  readonly channel: Pick<StanzaChannel, 'send'>;
  /** Milliseconds. */
  readonly answerTimeout: () => number;
  /** Milliseconds. */
  readonly roomIdle: () => number;
}

/** Functions, because a reload may change the values. */
export type DeliveryTimeouts = Pick<StreamSenderOptions, 'answerTimeout' | 'roomIdle'>;

/** A speaker on a stream that is up, and what the stream tells it. */
export interface StreamSender {
  readonly sender: MessageSender;
  /** Was this stanza for something that waits here? Called for every stanza to the speaker's JID. */
  handleStanza(stanza: Element): boolean;
  /** Nothing waits, and no room is joined. */
  readonly isIdle: boolean;
  readonly roomCount: number;
  /** Goes out of all rooms. */
  leaveRooms(): void;
  /** The stream is gone. */
  handleDisconnect(): void;
}

/** `from` = stanzas say whom they are from, because the stream may speak for others too. */
export function createStreamSender(
  deps: StreamSenderOptions,
  jid: string,
  { from }: { from: boolean },
): StreamSender {
  const { channel } = deps;
  const domain = parseJid(jid)?.domain ?? jid;
  const own = new Set([jid, parseBareJid(jid) ?? jid, domain]);
  const answers = createPendingIqs();
  const bounces = createBounceWatcher((sender) => sender === undefined || own.has(sender));
  const rooms = createMucRooms({ ...deps, send: post }, jid);

  /** Takes its stanza for a moment only: nothing of it is changed. */
  function post(stanza: Element, id = stanza.attrs.id): Promise<void> {
    const { xmlns: _, ...attrs } = stanza.attrs;
    const copy = xml(stanza.name, { ...attrs, id, from: from ? jid : undefined });
    copy.children = stanza.children;
    return channel.send(toXmlText(copy.toString()));
  }

  async function deliver(message: Element, { bounceWait, room }: DeliveryOptions): Promise<void> {
    const { id = randomId(), to = jid, type } = message.attrs;
    if (type === 'groupchat') return rooms.send(message, id, room ?? {});
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
    if (answers.size > 0 && answers.handleMessage(message)) return true;
    if (message.attrs.type === 'error' && bounces.handleErrorMessage(message)) return true;
    return rooms.handleStanza(message);
  }

  return {
    sender: {
      jid,
      deliver,
      async sendIq(iq, timeoutMs, takes) {
        const { id, type } = iq.attrs;
        if (type !== 'get' && type !== 'set') {
          throw new Refusal('bad_request', { text: 'Only an iq of type get or set has an answer.' });
        }
        return answers.request({ id, takes }, timeoutMs, (isPorter) => post(iq, isPorter));
      },
      sendStanza: (stanza) => post(stanza),
    },
    handleStanza(stanza) {
      if (stanza.name === 'message') return hearMessage(stanza);
      if (stanza.name === 'presence') return rooms.handleStanza(stanza);
      const { type } = stanza.attrs;
      return (type === 'result' || type === 'error') && answers.handleResponse(stanza);
    },
    get isIdle() {
      return rooms.size === 0 && answers.size === 0 && bounces.size === 0;
    },
    get roomCount() {
      return rooms.size;
    },
    leaveRooms: rooms.leaveAll,
    handleDisconnect() {
      answers.rejectAll();
      rooms.handleDisconnect();
    },
  };
}
