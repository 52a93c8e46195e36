import assert from 'node:assert/strict';
import xml, { type Element } from '@xmpp/xml';
import { Refusal } from '../../src/base/errors.ts';
import type { MessageSender } from '../../src/messages/delivery/message-sender.ts';
import { type ComponentSenders, createComponentSenders } from '../../src/xmpp/component/component-senders.ts';
import type { FakeComponentStream } from './fake-component-server.ts';
import { JID, type TestComponent, type TestComponentOptions, withTestComponent } from './test-component.ts';
import { waitUntil } from './wait-until.ts';

export const ALERTS = `alerts@${JID}`;
export const JULIET = 'juliet@montague.tld';
export const ROOM = 'capulets@rooms.montague.tld';

export interface SenderTimeouts {
  readonly answerTimeout?: number;
  readonly roomIdle?: number;
}

/** Runs `work` with a message sender of the component, while the test acts as the XMPP server. */
export async function withComponentSender(
  times: SenderTimeouts,
  work: (
    alerts: MessageSender,
    server: StreamPeer,
    senders: ComponentSenders,
    test: TestComponent,
  ) => Promise<void>,
  options: TestComponentOptions = {},
): Promise<void> {
  const { answerTimeout = 60_000, roomIdle = 60_000 } = times;
  const sender = createComponentSenders({ answerTimeout: () => answerTimeout, roomIdle: () => roomIdle }, [
    JID,
  ]);
  await withTestComponent({ ...options, sender }, async (session, test) => {
    await waitUntil(() => test.components.status()[0]?.up === true);
    await work(sender.senderFor(ALERTS), new StreamPeer(session), sender, test);
  });
}

/** The server's side of a component stream; separates pings from other stanzas. */
export class StreamPeer {
  readonly session: FakeComponentStream;

  constructor(session: FakeComponentStream) {
    this.session = session;
  }

  /** Resolves with the next stanza except pings; reflects the pings before it, as a server does. */
  async nextStanza(): Promise<Element> {
    for (;;) {
      const stanza = await this.session.nextStanza();
      if (!isPing(stanza)) return stanza;
      this.send(stanza);
    }
  }

  /** Resolves with the next stanza; fails if it is not a ping. */
  async nextPing(): Promise<Element> {
    const stanza = await this.session.nextStanza();
    assert.ok(isPing(stanza), stanza.toString());
    return stanza;
  }

  /** Reflects the next ping, which confirms all stanzas before it. */
  async answerNextPing(): Promise<void> {
    this.send(await this.nextPing());
  }

  send(...stanzas: readonly (Element | string)[]): void {
    this.session.write(stanzas.map(String).join(''));
  }

  /** Sends a stanza back with an error (RFC 6120, section 8.3). */
  bounce({ name, attrs }: Element, condition: string, text = '', from = attrs.to): void {
    const words = text && xml('text', STANZAS, text);
    const error = xml('error', { type: 'cancel' }, xml(condition, STANZAS), ...(words ? [words] : []));
    this.send(xml(name, { type: 'error', from, to: attrs.from, id: attrs.id }, error));
  }
}

const STANZAS = 'urn:ietf:params:xml:ns:xmpp-stanzas';
const PING = 'urn:xmpp:ping';
const MUC_USER = 'http://jabber.org/protocol/muc#user';

function isPing(stanza: Element): boolean {
  return stanza.getChild('ping', PING) !== undefined && stanza.attrs.from === stanza.attrs.to;
}

export function chatMessage(to: string, body: string, attributes: Record<string, string> = {}): Element {
  return xml('message', { to, type: 'chat', ...attributes }, xml('body', {}, body));
}

export const roomMessage = (body: string, id?: string) =>
  chatMessage(ROOM, body, { type: 'groupchat', ...(id !== undefined && { id }) });

/** The presence of an occupant, as the room sends it (XEP-0045). */
export function occupantPresence(nick: string, to: string, codes: readonly string[], type?: string): Element {
  const marks = codes.map((code) => xml('status', { code }));
  return xml('presence', { from: `${ROOM}/${nick}`, to, type }, xml('x', MUC_USER, ...marks));
}

/** The copy of a message that the room sends to every occupant. */
export function reflectedMessage(
  message: Element,
  nick: string,
  attributes: Record<string, string | undefined> = {},
): Element {
  const copy = xml('message', {
    ...message.attrs,
    from: `${ROOM}/${nick}`,
    to: message.attrs.from,
    ...attributes,
  });
  copy.children = message.children;
  return copy;
}

/** Resolves with the `Refusal` that `work` rejects with; fails if it resolves. */
export async function expectRefusal(work: Promise<unknown>): Promise<Refusal> {
  const outcome = await work.then(
    () => 'expected a Refusal, but the promise resolved',
    (error: unknown) => error,
  );
  if (outcome instanceof Refusal) return outcome;
  throw outcome instanceof Error ? outcome : new Error(String(outcome));
}
