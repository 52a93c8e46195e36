import xml, { type Element } from '@xmpp/xml';
import { Refusal } from '../../base/errors.ts';
import { formatJid, parseJid } from '../../base/jid.ts';
import { createSilentDomains } from '../../messages/delivery/delivery-pings.ts';
import type { MessageSender } from '../../messages/delivery/message-sender.ts';
import { createStanzaChannel, type StanzaChannel } from '../../messages/delivery/stanza-channel.ts';
import { createStanzaSizeLimit } from '../../messages/delivery/stanza-size-limit.ts';
import {
  createStreamSender,
  type DeliveryTimeouts,
  type StreamSender,
} from '../../messages/delivery/stream-sender.ts';
import { wrapSender } from '../../messages/delivery/wrap-sender.ts';
import { PING } from '../../stanza/namespaces.ts';
import type { ComponentConnection } from './connection.ts';

/** Senders for the addresses at the components. They outlive the component streams, which may reconnect. */
export interface ComponentSenders {
  /** See `MessageSenders.componentSender`. */
  senderFor(jid: string): MessageSender;
  /** Uses this connection for the addresses of the component until it ends. */
  attachStream(component: string, connection: Pick<ComponentConnection, 'write' | 'ended'>): void;
  /** Takes answers and bounces that a sender waits for, from any stream. Returns false for every other stanza. */
  handle(stanza: Element): boolean;
  /** Leaves all rooms. Call it while the streams are still up. */
  leaveRooms(): void;
}

interface AttachedStream {
  readonly channel: StanzaChannel;
  /** By JID; a sender is removed when it is idle. */
  readonly senders: Map<string, StreamSender>;
}

/** From this number of senders on, each new operation first removes the idle ones. */
const MAX_IDLE_SENDERS = 1_000;

/** `components` are the JIDs of the configured components. */
export function createComponentSenders(
  timeouts: DeliveryTimeouts,
  components: readonly string[],
): ComponentSenders {
  /** By the JID of the component; absent while its stream is down. */
  const streams = new Map<string, AttachedStream>();
  /** By the JID of the component. They outlive its streams. */
  const sizeLimits = new Map(components.map((jid) => [jid, createStanzaSizeLimit()]));
  const context = { ...timeouts, silentDomains: createSilentDomains() };

  async function runWithSender<T>(
    component: string,
    jid: string,
    operation: (sender: MessageSender) => Promise<T>,
  ): Promise<T> {
    const stream = streams.get(component);
    if (stream === undefined) {
      throw new Refusal('unavailable', { text: 'The XMPP server is not connected. Try again soon.' });
    }
    const { channel, senders } = stream;
    if (senders.size >= MAX_IDLE_SENDERS) removeIdle(senders);
    const sender = senders.get(jid) ?? createStreamSender({ channel, ...context }, jid, { from: true });
    senders.set(jid, sender);
    try {
      return await operation(sender.sender);
    } finally {
      if (sender.isIdle && senders.get(jid) === sender) senders.delete(jid);
    }
  }

  /**
   * Channels ping the component itself, because every server routes that ping back. If another program is connected as
   * the same component, ejabberd may give the ping to that program, and its answer arrives here instead.
   */
  function handlePing({ name, attrs: { from, to, id = '' } }: Element): boolean {
    if (name !== 'iq' || from !== to) return false;
    return streams.get(to ?? '')?.channel.handlePong(id) ?? false;
  }

  return {
    senderFor(jid) {
      const parsed = parseJid(jid);
      if (parsed === undefined || !components.includes(parsed.domain)) {
        throw new Refusal('bad_request', { text: `${jid} is not an address at a component of this server.` });
      }
      const { domain } = parsed;
      const normalized = formatJid(parsed);
      return wrapSender(normalized, (operation) => runWithSender(domain, normalized, operation));
    },
    attachStream(component, connection) {
      const channel = createStanzaChannel(
        {
          write: (text) => connection.write(text),
          formatRequest: (id) =>
            xml('iq', { type: 'get', from: component, to: component, id }, xml('ping', PING)).toString(),
          // The keepalive of the stream decides whether the connection is dead.
          onRequestTimeout: () => undefined,
        },
        timeouts.answerTimeout,
        sizeLimits.get(component),
      );
      const stream: AttachedStream = { channel, senders: new Map() };
      streams.set(component, stream);
      void connection.ended.then((reason) => {
        if (streams.get(component) === stream) streams.delete(component);
        for (const sender of stream.senders.values()) sender.handleDisconnect();
        channel.handleDisconnect(reason);
      });
    },
    handle(stanza) {
      if (handlePing(stanza)) return true;
      const { to = '' } = stanza.attrs;
      for (const { senders } of streams.values()) {
        if (senders.get(to)?.handleStanza(stanza)) return true;
      }
      return false;
    },
    leaveRooms() {
      for (const { senders } of streams.values()) {
        for (const sender of senders.values()) sender.leaveRooms();
      }
    },
  };
}

function removeIdle(senders: Map<string, StreamSender>): void {
  for (const [jid, sender] of senders) if (sender.isIdle) senders.delete(jid);
}
