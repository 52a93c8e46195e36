import xml, { type Element } from '@xmpp/xml';
import { Refusal } from '../../base/errors.ts';
import { formatBareJid, parseJid } from '../../base/jid.ts';
import type { MessageSender } from '../../messages/delivery/message-sender.ts';
import { createStanzaChannel, type StanzaChannel } from '../../messages/delivery/stanza-channel.ts';
import { createStreamSender, type StreamSender } from '../../messages/delivery/stream-sender.ts';
import { PING } from '../../stanza/namespaces.ts';
import type { ComponentConnection } from './connection.ts';

/** Milliseconds, as of the last reload. */
export interface ComponentSenderTimeouts {
  readonly answerTimeout: () => number;
  readonly roomIdle: () => number;
}

/** What is said by the addresses at our components; outlives the streams, which come and go. */
export interface ComponentSenders {
  /** See `MessageSenders.componentSender`. */
  senderFor(jid: string): MessageSender;
  /** The stream of a component is up. */
  attachStream(component: string, connection: Pick<ComponentConnection, 'write' | 'ended'>): void;
  /** Was this stanza for something that waits here? Any stream may bring it. */
  handle(stanza: Element): boolean;
  /** Goes out of all rooms, while the streams are still up. */
  leaveRooms(): void;
}

/** One stream, and the addresses that speak on it. */
interface Line {
  readonly channel: StanzaChannel;
  /** By JID; only those for which something waits. */
  readonly speaking: Map<string, StreamSender>;
}

/** `components` = their JIDs. */
export function createComponentSenders(
  times: ComponentSenderTimeouts,
  components: readonly string[],
): ComponentSenders {
  /** By the JID of the component; missing while its stream is down. */
  const lines = new Map<string, Line>();

  function during<T>(
    component: string,
    jid: string,
    work: (speaker: MessageSender) => Promise<T>,
  ): Promise<T> {
    const line = lines.get(component);
    if (line === undefined) return Promise.reject(new Refusal('unavailable', { text: DOWN }));
    const { channel, speaking } = line;
    if (speaking.size >= MANY) forgetIdle(speaking);
    const isPorter = speaking.get(jid) ?? createStreamSender({ channel, ...times }, jid, { from: true });
    speaking.set(jid, isPorter);
    return work(isPorter.sender).finally(() => {
      if (isPorter.isIdle && speaking.get(jid) === isPorter) speaking.delete(jid);
    });
  }

  /**
   * To the component itself: every server passes that on, and when it is back, what was before it has been taken. It
   * is back as an answer where ejabberd dealt it to another program that takes the same component.
   */
  function isOurPing({ name, attrs: { from, to, id = '' } }: Element): boolean {
    if (name !== 'iq' || from !== to) return false;
    return lines.get(to ?? '')?.channel.handlePong(id) ?? false;
  }

  return {
    senderFor(jid) {
      const parsed = parseJid(jid);
      if (parsed === undefined || !components.includes(parsed.domain)) {
        throw new Refusal('bad_request', { text: `${jid} is no address at a component of this server.` });
      }
      const { domain, resource } = parsed;
      const own = resource === '' ? formatBareJid(parsed) : `${formatBareJid(parsed)}/${resource}`;
      return {
        jid: own,
        deliver: (message, options) => during(domain, own, (speaker) => speaker.deliver(message, options)),
        sendIq: (iq, timeoutMs, takes) =>
          during(domain, own, (speaker) => speaker.sendIq(iq, timeoutMs, takes)),
        sendStanza: (stanza) => during(domain, own, (speaker) => speaker.sendStanza(stanza)),
      };
    },
    attachStream(component, connection) {
      const channel = createStanzaChannel(
        {
          write: (text) => connection.write(text),
          formatPing: (id) =>
            xml('iq', { type: 'get', from: component, to: component, id }, xml('ping', PING)).toString(),
          // Whether the stream is dead is for its keepalive to find out.
          onPingTimeout: () => undefined,
        },
        times.answerTimeout,
      );
      const line: Line = { channel, speaking: new Map() };
      lines.set(component, line);
      void connection.ended.then(() => {
        if (lines.get(component) === line) lines.delete(component);
        for (const one of line.speaking.values()) one.handleDisconnect();
        channel.handleDisconnect();
      });
    },
    handle(stanza) {
      if (isOurPing(stanza)) return true;
      const { to = '' } = stanza.attrs;
      for (const { speaking } of lines.values()) if (speaking.get(to)?.handleStanza(stanza)) return true;
      return false;
    },
    leaveRooms() {
      for (const { speaking } of lines.values()) for (const one of speaking.values()) one.leaveRooms();
    },
  };
}

/** Their last room was left some time ago. */
function forgetIdle(speaking: Map<string, StreamSender>): void {
  for (const [jid, one] of speaking) if (one.isIdle) speaking.delete(jid);
}

const MANY = 1_000;
const DOWN = 'The XMPP server is not connected. Try again soon.';
