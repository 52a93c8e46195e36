import xml, { type Element } from '@xmpp/xml';
import { Refusal } from '../../base/errors.ts';
import { randomId } from '../../base/ids.ts';
import { formatBareJid, parseJid } from '../../base/jid.ts';
import { normalizedNamespace, toCanonical } from '../../stanza/canonical.ts';
import { chargeMessages, checkRecipientAllowed } from '../authenticate.ts';
import { collectArchiveResults } from '../delivery/archive-results.ts';
import type { MessageSender } from '../delivery/message-sender.ts';
import type { MessageServices } from '../message-services.ts';
import { invalidStanza } from './invalid-stanza.ts';
import { type RestAuthServices, type RestClient, senderForAddress } from './rest-client.ts';
import type { RoomNicks } from './room-nicks.ts';

export interface RestServices extends MessageServices, RestAuthServices {
  readonly roomNicks: RoomNicks;
}

export interface SendStanzaOptions {
  /** Milliseconds to wait for the answer to an iq. */
  readonly iqTimeout: number;
  /** Milliseconds to wait for a bounce, if other than `messages.bounce_wait`. */
  readonly bounceWait?: number | undefined;
}

/** A stanza of a sender's, ready to be sent. */
export interface CheckedStanza {
  readonly stanza: Element;
  readonly sender: MessageSender;
}

/** RFC 6120 §8.1: what a stanza may say of itself beside its addresses. */
const KEPT = ['id', 'type', 'xml:lang'];
const KINDS = ['message', 'presence', 'iq'];

/**
 * Looks at a stanza from outside in the order that mod_rest does: namespace, name, recipient, sender. Of its own
 * attributes only those of a stanza are left; an id is made where it has none, and without a recipient it goes to the
 * sender's own account. Refusals: `stanza_unfit`, `sender_refused`, `recipient_refused`.
 */
export function checkStanza(deps: RestServices, sender: RestClient, given: Element): CheckedStanza {
  if (normalizedNamespace(given) !== undefined)
    throw invalidStanza('invalid-namespace', 'The stanza may have no xmlns but jabber:client.');
  if (!KINDS.includes(given.name))
    throw invalidStanza('unsupported-stanza-type', `<${given.name}/> is neither message, presence nor iq.`);
  const to = readRecipient(given.attrs.to);
  const speaker = senderForAddress(deps, sender, given.attrs.from);
  const own = sender.jid;
  checkRecipientAllowed(sender, to ?? own);
  // At a component there is no account whose server would know what is meant.
  const stanza = xml(given.name, { from: speaker.jid, to: to ?? (isSession(sender) ? undefined : own) });
  for (const name of KEPT) if (given.attrs[name] !== undefined) stanza.attrs[name] = given.attrs[name];
  stanza.attrs.id ??= randomId();
  stanza.append(...toCanonical(given).children);
  return { stanza, sender: speaker };
}

/**
 * Sends a stanza. Resolves with what came back: the answer to an iq (of an archive with its results before it), the
 * bounce of a message; nothing where it was taken. Refusals: `stanza_unfit`, `too_many_messages`, and those of
 * `MessageSender` but `bounced`.
 */
export async function sendStanza(
  deps: RestServices,
  sender: RestClient,
  checked: CheckedStanza,
  options: SendStanzaOptions,
): Promise<Element[]> {
  const { stanza } = checked;
  if (stanza.name === 'iq') checkIq(stanza);
  if (stanza.name === 'presence') checkPresence(stanza);
  await chargeMessages(deps, sender, 1);
  if (stanza.name === 'iq') return ask(checked, options);
  if (stanza.name === 'message') return deliver(deps, checked, options);
  await checked.sender.sendStanza(stanza);
  deps.roomNicks.recordPresence(checked.sender.jid, stanza);
  return [];
}

function readRecipient(to: string | undefined): string | undefined {
  if (to === undefined || to === '') return undefined;
  const jid = parseJid(to);
  if (jid === undefined) throw invalidStanza('improper-addressing', `${to} is no JID to send to.`);
  return jid.resource === '' ? formatBareJid(jid) : `${formatBareJid(jid)}/${jid.resource}`;
}

/** An account on its server; all others speak through a component. */
function isSession({ token, addressScope }: RestClient): boolean {
  return token === null && addressScope.local !== '';
}

function checkIq({ attrs: { type = '' }, children }: Element): void {
  if (type !== 'get' && type !== 'set')
    throw invalidStanza('invalid-xml', 'An iq must be of type get or set.');
  if (children.filter((child) => typeof child !== 'string').length !== 1)
    throw invalidStanza('bad-format', 'An iq must have exactly one child element.');
}

/** A session that says it is there would be sent messages that nobody reads. */
function checkPresence({ attrs: { to } }: Element): void {
  if (to === undefined)
    throw invalidStanza(
      'improper-addressing',
      'A presence needs a recipient here, such as a room and a name in it.',
    );
}

async function ask({ stanza, sender }: CheckedStanza, { iqTimeout }: SendStanzaOptions): Promise<Element[]> {
  const results = collectArchiveResults(stanza, sender.jid);
  const answer = await sender.sendIq(stanza, iqTimeout, results?.collect);
  return [...(results?.messages ?? []), answer];
}

async function deliver(
  deps: RestServices,
  { stanza, sender }: CheckedStanza,
  { bounceWait = deps.messageRules().bounceWait }: SendStanzaOptions,
): Promise<Element[]> {
  const { to = '', type = 'normal' } = stanza.attrs;
  const room = { nick: deps.roomNicks.getNick(sender.jid, to) };
  try {
    if (type === 'error') await sender.sendStanza(stanza);
    else await sender.deliver(stanza, { bounceWait, room });
    deps.metrics.messagePosted(type, 'sent');
    return [];
  } catch (error) {
    const code = error instanceof Refusal ? error.code : 'internal';
    deps.metrics.messagePosted(type, code);
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
