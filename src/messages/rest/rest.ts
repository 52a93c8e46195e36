import xml, { type Element } from '@xmpp/xml';
import { Refusal } from '../../base/errors.ts';
import { randomId } from '../../base/ids.ts';
import { bareOf, parseJid } from '../../base/jid.ts';
import { canonical, namespaceOf } from '../canonical.ts';
import type { MessageDeps } from '../deps.ts';
import { admitRecipient, chargeMessages } from '../senders.ts';
import type { Speaker } from '../speaker.ts';
import { resultsOf } from './archive.ts';
import type { Joins } from './joins.ts';
import { type SenderDeps, type StanzaSender, speakerFrom } from './sender.ts';
import { unfit } from './unfit.ts';

export interface RestDeps extends MessageDeps, SenderDeps {
  readonly joins: Joins;
}

export interface RestOptions {
  /** Milliseconds to wait for the answer to an iq. */
  readonly iqTimeout: number;
  /** Milliseconds to wait for a bounce, if other than `messages.bounce_wait`. */
  readonly bounceWait?: number | undefined;
}

/** A stanza of a sender's, ready to be sent. */
export interface Checked {
  readonly stanza: Element;
  readonly speaker: Speaker;
}

/** RFC 6120 §8.1: what a stanza may say of itself beside its addresses. */
const KEPT = ['id', 'type', 'xml:lang'];
const KINDS = ['message', 'presence', 'iq'];

/**
 * Looks at a stanza from outside in the order that mod_rest does: namespace, name, recipient, sender. Of its own
 * attributes only those of a stanza are left; an id is made where it has none, and without a recipient it goes to the
 * sender's own account. Refusals: `stanza_unfit`, `sender_refused`, `recipient_refused`.
 */
export function check(deps: RestDeps, sender: StanzaSender, given: Element): Checked {
  if (namespaceOf(given) !== undefined)
    throw unfit('invalid-namespace', 'The stanza may have no xmlns but jabber:client.');
  if (!KINDS.includes(given.name))
    throw unfit('unsupported-stanza-type', `<${given.name}/> is neither message, presence nor iq.`);
  const to = readRecipient(given.attrs.to);
  const speaker = speakerFrom(deps, sender, given.attrs.from);
  const own = sender.jid;
  admitRecipient(sender, to ?? own);
  // At a component there is no account whose server would know what is meant.
  const stanza = xml(given.name, { from: speaker.jid, to: to ?? (isSession(sender) ? undefined : own) });
  for (const name of KEPT) if (given.attrs[name] !== undefined) stanza.attrs[name] = given.attrs[name];
  stanza.attrs.id ??= randomId();
  stanza.append(...canonical(given).children);
  return { stanza, speaker };
}

/**
 * Sends a stanza. Resolves with what came back: the answer to an iq (of an archive with its results before it), the
 * bounce of a message; nothing where it was taken. Refusals: `stanza_unfit`, `too_many_messages`, and those of
 * `Speaker` but `bounced`.
 */
export async function sendStanza(
  deps: RestDeps,
  sender: StanzaSender,
  checked: Checked,
  options: RestOptions,
): Promise<Element[]> {
  const { stanza } = checked;
  if (stanza.name === 'iq') checkIq(stanza);
  if (stanza.name === 'presence') checkPresence(stanza);
  await chargeMessages(deps, sender, 1);
  if (stanza.name === 'iq') return ask(checked, options);
  if (stanza.name === 'message') return deliver(deps, checked, options);
  await checked.speaker.send(stanza);
  deps.joins.note(checked.speaker.jid, stanza);
  return [];
}

function readRecipient(to: string | undefined): string | undefined {
  if (to === undefined || to === '') return undefined;
  const jid = parseJid(to);
  if (jid === undefined) throw unfit('improper-addressing', `${to} is no JID to send to.`);
  return jid.resource === '' ? bareOf(jid) : `${bareOf(jid)}/${jid.resource}`;
}

/** An account on its server; all others speak through a component. */
function isSession({ token, within }: StanzaSender): boolean {
  return token === null && within.local !== '';
}

function checkIq({ attrs: { type = '' }, children }: Element): void {
  if (type !== 'get' && type !== 'set') throw unfit('invalid-xml', 'An iq must be of type get or set.');
  if (children.filter((child) => typeof child !== 'string').length !== 1)
    throw unfit('bad-format', 'An iq must have exactly one child element.');
}

/** A session that says it is there would be sent messages that nobody reads. */
function checkPresence({ attrs: { to } }: Element): void {
  if (to === undefined)
    throw unfit('improper-addressing', 'A presence needs a recipient here, such as a room and a name in it.');
}

async function ask({ stanza, speaker }: Checked, { iqTimeout }: RestOptions): Promise<Element[]> {
  const results = resultsOf(stanza, speaker.jid);
  const answer = await speaker.ask(stanza, iqTimeout, results?.takes);
  return [...(results?.messages ?? []), answer];
}

async function deliver(
  deps: RestDeps,
  { stanza, speaker }: Checked,
  { bounceWait = deps.messages().bounceWait }: RestOptions,
): Promise<Element[]> {
  const { to = '', type = 'normal' } = stanza.attrs;
  const room = { nick: deps.joins.nickOf(speaker.jid, to) };
  try {
    if (type === 'error') await speaker.send(stanza);
    else await speaker.deliver(stanza, { bounceWait, room });
    deps.meter.posted(type, 'sent');
    return [];
  } catch (error) {
    const code = error instanceof Refusal ? error.code : 'internal';
    deps.meter.posted(type, code);
    if (error instanceof Refusal && code === 'bounced') return [bounceOf(stanza, error)];
    throw error;
  }
}

/** What came back, as its sender would have seen it. */
function bounceOf({ attrs }: Element, { condition = 'undefined-condition', message }: Refusal): Element {
  const xmlns = 'urn:ietf:params:xml:ns:xmpp-stanzas';
  const error = xml('error', { type: 'cancel' }, xml(condition, { xmlns }), xml('text', { xmlns }, message));
  return xml('message', { type: 'error', from: attrs.to, to: attrs.from, id: attrs.id }, error);
}
