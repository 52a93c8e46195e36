import xml, { type Element } from '@xmpp/xml';
import { Refusal } from '../base/errors.ts';
import { bareOf, parseJid } from '../base/jid.ts';
import type { Speaker } from '../messages/speaker.ts';
import { type Channel, createChannel } from '../messages/speaking/channel.ts';
import { type Speaking, startSpeaking } from '../messages/speaking/speaking.ts';
import type { Connection } from './connection.ts';
import { PING } from './namespaces.ts';

/** Milliseconds, as of the last reload. */
export interface SpeechTimes {
  readonly answerTimeout: () => number;
  readonly roomIdle: () => number;
}

/** What is said by the addresses at our components; outlives the streams, which come and go. */
export interface ComponentSpeech {
  /** See `Speakers.component`. */
  speaker(jid: string): Speaker;
  /** The stream of a component is up. */
  up(component: string, connection: Pick<Connection, 'write' | 'ended'>): void;
  /** Was this stanza for something that waits here? Any stream may bring it. */
  hear(stanza: Element): boolean;
  /** Goes out of all rooms, while the streams are still up. */
  leave(): void;
}

/** One stream, and the addresses that speak on it. */
interface Line {
  readonly channel: Channel;
  /** By JID; only those for which something waits. */
  readonly speaking: Map<string, Speaking>;
}

/** `components` = their JIDs. */
export function createComponentSpeech(times: SpeechTimes, components: readonly string[]): ComponentSpeech {
  /** By the JID of the component; missing while its stream is down. */
  const lines = new Map<string, Line>();

  function during<T>(component: string, jid: string, work: (speaker: Speaker) => Promise<T>): Promise<T> {
    const line = lines.get(component);
    if (line === undefined) return Promise.reject(new Refusal('unavailable', { text: DOWN }));
    const { channel, speaking } = line;
    if (speaking.size >= MANY) forgetIdle(speaking);
    const ours = speaking.get(jid) ?? startSpeaking({ channel, ...times }, jid, { from: true });
    speaking.set(jid, ours);
    return work(ours.speaker).finally(() => {
      if (ours.isIdle && speaking.get(jid) === ours) speaking.delete(jid);
    });
  }

  /**
   * To the component itself: every server passes that on, and when it is back, what was before it has been taken. It
   * is back as an answer where ejabberd dealt it to another program that takes the same component.
   */
  function isOurPing({ name, attrs: { from, to, id = '' } }: Element): boolean {
    if (name !== 'iq' || from !== to) return false;
    return lines.get(to ?? '')?.channel.heard(id) ?? false;
  }

  return {
    speaker(jid) {
      const parsed = parseJid(jid);
      if (parsed === undefined || !components.includes(parsed.domain)) {
        throw new Refusal('bad_request', { text: `${jid} is no address at a component of this server.` });
      }
      const { domain, resource } = parsed;
      const own = resource === '' ? bareOf(parsed) : `${bareOf(parsed)}/${resource}`;
      return {
        jid: own,
        deliver: (message, options) => during(domain, own, (speaker) => speaker.deliver(message, options)),
        ask: (iq, timeoutMs, takes) => during(domain, own, (speaker) => speaker.ask(iq, timeoutMs, takes)),
        send: (stanza) => during(domain, own, (speaker) => speaker.send(stanza)),
      };
    },
    up(component, connection) {
      const channel = createChannel(
        {
          write: (text) => connection.write(text),
          ping: (id) =>
            xml('iq', { type: 'get', from: component, to: component, id }, xml('ping', PING)).toString(),
          // Whether the stream is dead is for its keepalive to find out.
          silent: () => undefined,
        },
        times.answerTimeout,
      );
      const line: Line = { channel, speaking: new Map() };
      lines.set(component, line);
      void connection.ended.then(() => {
        if (lines.get(component) === line) lines.delete(component);
        for (const one of line.speaking.values()) one.fail();
        channel.fail();
      });
    },
    hear(stanza) {
      if (isOurPing(stanza)) return true;
      const { to = '' } = stanza.attrs;
      for (const { speaking } of lines.values()) if (speaking.get(to)?.hear(stanza)) return true;
      return false;
    },
    leave() {
      for (const { speaking } of lines.values()) for (const one of speaking.values()) one.leave();
    },
  };
}

/** Their last room was left some time ago. */
function forgetIdle(speaking: Map<string, Speaking>): void {
  for (const [jid, one] of speaking) if (one.isIdle) speaking.delete(jid);
}

const MANY = 1_000;
const DOWN = 'The XMPP server is not connected. Try again soon.';
