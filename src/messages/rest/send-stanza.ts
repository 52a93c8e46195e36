import xml, { type Element } from '@xmpp/xml';
import { Refusal } from '../../base/errors.ts';
import { randomId } from '../../base/ids.ts';
import { describeInvalidJid, formatJid, parseJid } from '../../base/jid.ts';
import { normalizedNamespace, toCanonical } from '../../stanza/canonical.ts';
import { STANZA_KINDS } from '../../stanza/json/stanza-kind.ts';
import { STANZA_ERRORS } from '../../stanza/namespaces.ts';
import { chargeMessages, checkRecipientAllowed } from '../authenticate.ts';
import { collectArchiveResults } from '../delivery/archive-results.ts';
import type { MessageSender } from '../delivery/message-sender.ts';
import type { MessageServices } from '../message-services.ts';
import { invalidStanza } from './invalid-stanza.ts';
import { isAccount, type RestAuthServices, type RestClient, senderForAddress } from './rest-client.ts';
import type { RoomNicks } from './room-nicks.ts';

export type RestServices = RestAuthServices &
  Pick<MessageServices, 'ledger' | 'clock' | 'log' | 'metrics'> & {
    readonly roomNicks: RoomNicks;
  };

export interface SendStanzaOptions {
  /** Milliseconds to wait for the answer to an iq. */
  readonly iqTimeout: number;
  /** Milliseconds to wait for a bounce. Overrides `messages.bounce_wait`. */
  readonly bounceWait?: number | undefined;
}

/** A stanza that passed all checks, and its sender. */
export interface CheckedStanza {
  readonly stanza: Element;
  readonly sender: MessageSender;
}

/** Attributes of a stanza that are kept, beside its addresses (RFC 6120 §8.1). */
const KEPT_ATTRIBUTES = ['id', 'type', 'xml:lang'];

/**
 * Checks a stanza in the order of Prosody's mod_rest: namespace, name, recipient, sender. The result has only the
 * attributes of a stanza, and always an id. Without a recipient it goes to the client's own account. Refusals:
 * `stanza_unfit`, `sender_refused`, `recipient_refused`.
 */
export function checkStanza(
  services: Pick<RestServices, 'senders'>,
  client: RestClient,
  given: Element,
): CheckedStanza {
  if (normalizedNamespace(given) !== undefined) {
    throw invalidStanza('invalid-namespace', 'The only allowed namespace of a stanza is jabber:client.');
  }
  if (!STANZA_KINDS.some((kind) => kind === given.name)) {
    throw invalidStanza('unsupported-stanza-type', `<${given.name}/> is not a message, presence or iq.`);
  }
  const to = parseRecipient(given.attrs.to);
  const sender = senderForAddress(services, client, given.attrs.from);
  checkRecipientAllowed(client, to ?? client.jid);
  // A server delivers a stanza without `to` to the sender's account. A component has no account, so `to` is set.
  const defaultTo = isAccount(client) ? undefined : client.jid;
  const stanza = xml(given.name, { from: sender.jid, to: to ?? defaultTo });
  for (const name of KEPT_ATTRIBUTES) {
    if (given.attrs[name] !== undefined) stanza.attrs[name] = given.attrs[name];
  }
  stanza.attrs.id ??= randomId();
  stanza.append(...toCanonical(given).children);
  return { stanza, sender };
}

/**
 * Sends a stanza and resolves with the stanzas that came back: the answer to an iq (after its results, for an archive
 * query), the bounce of a message, or nothing. Refusals: `stanza_unfit`, `too_many_messages`, and those of
 * `MessageSender` except `bounced`.
 */
export async function sendStanza(
  services: RestServices,
  client: RestClient,
  checked: CheckedStanza,
  options: SendStanzaOptions,
): Promise<Element[]> {
  const { stanza, sender } = checked;
  if (stanza.name === 'iq') checkIq(stanza);
  if (stanza.name === 'presence') checkPresence(stanza);
  await chargeMessages(services, client, 1);
  if (stanza.name === 'iq') return sendIq(checked, options);
  if (stanza.name === 'message') return deliverMessage(services, checked, options);
  await sender.sendStanza(stanza);
  services.roomNicks.recordPresence(sender.jid, stanza);
  return [];
}

function parseRecipient(to: string | undefined): string | undefined {
  if (to === undefined || to === '') return undefined;
  const jid = parseJid(to);
  if (jid === undefined) throw invalidStanza('improper-addressing', `to: ${describeInvalidJid(to)}`);
  return formatJid(jid);
}

function checkIq({ attrs: { type = '' }, children }: Element): void {
  if (type !== 'get' && type !== 'set') {
    throw invalidStanza('invalid-xml', 'The type of an iq must be get or set.');
  }
  if (children.filter((child) => typeof child !== 'string').length !== 1) {
    throw invalidStanza('bad-format', 'An iq must have exactly one child element.');
  }
}

/** After a presence without `to`, the server would send messages to the session, and they would be lost. */
function checkPresence({ attrs: { to } }: Element): void {
  if (to === undefined) {
    throw invalidStanza(
      'improper-addressing',
      'A presence needs a recipient, such as team@rooms.example.org/nick to join a room.',
    );
  }
}

async function sendIq(
  { stanza, sender }: CheckedStanza,
  { iqTimeout }: SendStanzaOptions,
): Promise<Element[]> {
  const results = collectArchiveResults(stanza, sender.jid);
  const answer = await sender.sendIq(stanza, iqTimeout, results?.collect);
  return [...(results?.messages ?? []), answer];
}

async function deliverMessage(
  { messageRules, roomNicks, metrics }: RestServices,
  { stanza, sender }: CheckedStanza,
  { bounceWait = messageRules().bounceWait }: SendStanzaOptions,
): Promise<Element[]> {
  const { to = '', type = 'normal' } = stanza.attrs;
  const room = { nick: roomNicks.getNick(sender.jid, to) };
  try {
    if (type === 'error') await sender.sendStanza(stanza);
    else await sender.deliver(stanza, { bounceWait, room });
    metrics.messagePosted(type, 'sent');
    return [];
  } catch (error) {
    const code = error instanceof Refusal ? error.code : 'internal';
    metrics.messagePosted(type, code);
    if (error instanceof Refusal && code === 'bounced') return [createBounce(stanza, error)];
    throw error;
  }
}

/** Builds the error stanza for a message that has bounced. */
function createBounce({ attrs }: Element, { condition = 'undefined-condition', message }: Refusal): Element {
  const xmlns = STANZA_ERRORS;
  const error = xml('error', { type: 'cancel' }, xml(condition, { xmlns }), xml('text', { xmlns }, message));
  return xml('message', { type: 'error', from: attrs.to, to: attrs.from, id: attrs.id }, error);
}
