import xml, { type Element } from '@xmpp/xml';
import { Refusal } from '../../base/errors.ts';
import { randomId } from '../../base/ids.ts';
import { parseBareJid, parseJid } from '../../base/jid.ts';
import { PING } from '../../stanza/namespaces.ts';
import { toXmlText } from '../../stanza/xml-text.ts';
import { createBounceWatcher } from './bounce-watcher.ts';
import { createDeliveryPings, type SilentDomains } from './delivery-pings.ts';
import type { DeliveryOptions, MessageSender } from './message-sender.ts';
import { createPendingIqs } from './pending-iqs.ts';
import { MucRooms } from './rooms.ts';
import type { StanzaChannel } from './stanza-channel.ts';

/** Milliseconds. Functions, because a reload may change the values. */
export interface DeliveryTimeouts {
  readonly answerTimeout: () => number;
  readonly roomIdle: () => number;
}

/** Timeouts, and the list of silent domains, that all senders of a process share. */
export type SenderContext = DeliveryTimeouts & { readonly silentDomains: SilentDomains };

export type StreamSenderOptions = SenderContext & {
  readonly channel: Pick<StanzaChannel, 'send'>;
};

/** A sender on an open stream. The owner of the stream passes it all stanzas to the sender's JID. */
export interface StreamSender {
  readonly sender: MessageSender;
  /** Returns true if the stanza answers or belongs to something that this sender sent. */
  handleStanza(stanza: Element): boolean;
  /** True if nothing waits for an answer, and no room is joined. */
  readonly isIdle: boolean;
  readonly roomCount: number;
  leaveRooms(): void;
  /** Called when the stream is closed. */
  handleDisconnect(): void;
}

/** With `from`, stanzas get a `from` attribute, because the stream also sends for other addresses. */
export function createStreamSender(
  options: StreamSenderOptions,
  jid: string,
  { from }: { from: boolean },
): StreamSender {
  const { channel } = options;
  const domain = parseJid(jid)?.domain ?? jid;
  const serverAddresses = new Set([jid, parseBareJid(jid) ?? jid, domain]);
  const iqs = createPendingIqs();
  const bounces = createBounceWatcher((sender) => sender === undefined || serverAddresses.has(sender));
  const pings = createDeliveryPings({ ...options, ping });
  const rooms = new MucRooms({ ...options, send }, jid);
  let isConnected = true;

  /** Shares the children of the stanza, but does not change it. */
  function send(stanza: Element, id = stanza.attrs.id): Promise<void> {
    const { xmlns: _, ...attrs } = stanza.attrs;
    const copy = xml(stanza.name, { ...attrs, id, from: from ? jid : undefined });
    copy.children = stanza.children;
    return channel.send(toXmlText(copy.toString()));
  }

  /** Returns true for any answer, errors included: the server of the domain, or of this sender, has processed the earlier stanzas. */
  async function ping(to: string): Promise<boolean> {
    const stanza = xml('iq', { type: 'get', to }, xml('ping', PING));
    let isAccepted = false;
    try {
      await iqs.request({ id: undefined }, options.answerTimeout(), async (id) => {
        await send(stanza, id);
        isAccepted = true;
      });
      return true;
    } catch (error) {
      // Otherwise the sender's own server is slow or disconnected, and the domain may well answer.
      if (isAccepted && isConnected) return false;
      throw error;
    }
  }

  async function deliver(message: Element, { bounceWait, room }: DeliveryOptions): Promise<void> {
    const { id = randomId(), to = jid, type } = message.attrs;
    if (type === 'groupchat') return rooms.send(message, id, room ?? {});
    const bounce = Promise.withResolvers<never>();
    const unwatch = bounces.watch(id, to, bounce.reject);
    let timer: NodeJS.Timeout | undefined;
    try {
      // Scheduled before the message is written, so that one confirmation of the own server covers both of them.
      const taken = bounceWait === 0 ? undefined : pings.answered(parseJid(to)?.domain ?? to);
      await Promise.race([bounce.promise, send(message, id)]);
      if (taken === undefined) return;
      const waited = new Promise<void>((resolve) => {
        timer = setTimeout(resolve, bounceWait);
      });
      await Promise.race([bounce.promise, taken, waited]);
    } finally {
      clearTimeout(timer);
      unwatch();
    }
  }

  function handleMessage(message: Element): boolean {
    if (iqs.size > 0 && iqs.handleMessage(message)) return true;
    if (message.attrs.type === 'error' && bounces.handleErrorMessage(message)) return true;
    return rooms.handleStanza(message);
  }

  return {
    sender: {
      jid,
      deliver,
      async sendIq(iq, timeoutMs, collect) {
        const { id, type } = iq.attrs;
        if (type !== 'get' && type !== 'set') {
          throw new Refusal('bad_request', { text: 'Only an iq of type get or set has an answer.' });
        }
        return iqs.request({ id, collect }, timeoutMs, (newId) => send(iq, newId));
      },
      sendStanza: (stanza) => send(stanza),
    },
    handleStanza(stanza) {
      if (stanza.name === 'message') return handleMessage(stanza);
      if (stanza.name === 'presence') return rooms.handleStanza(stanza);
      const { type } = stanza.attrs;
      return (type === 'result' || type === 'error') && iqs.handleResponse(stanza);
    },
    get isIdle() {
      return rooms.size === 0 && iqs.size === 0 && bounces.size === 0;
    },
    get roomCount() {
      return rooms.size;
    },
    leaveRooms: () => rooms.leaveAll(),
    handleDisconnect() {
      isConnected = false;
      iqs.rejectAll();
      rooms.handleDisconnect();
    },
  };
}
