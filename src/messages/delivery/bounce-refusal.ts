import type { Element } from '@xmpp/xml';
import { Refusal } from '../../base/errors.ts';
import { STANZA_ERRORS } from '../../stanza/namespaces.ts';

const MAX_TEXT_LENGTH = 300;

/** Texts for the sender of a message, by the condition of RFC 6120 §8.3.3. */
const ERROR_TEXTS: Readonly<Record<string, string>> = {
  'bad-request': 'the recipient does not understand this message',
  conflict: 'the name is already in use',
  'feature-not-implemented': 'the recipient cannot receive such messages',
  forbidden: 'the recipient does not allow you to write to them',
  gone: 'the recipient is no longer at this address',
  'internal-server-error': 'an error occurred on the server of the recipient',
  'item-not-found': 'the address does not exist',
  'jid-malformed': 'the address is malformed',
  'not-acceptable': 'the recipient does not accept this message',
  'not-allowed': 'you are not allowed to write there',
  'not-authorized': 'you are not allowed to write there',
  'policy-violation': 'a rule of the server of the recipient forbids it',
  'recipient-unavailable': 'the recipient is not available now',
  'registration-required': 'only members may write there',
  'remote-server-not-found': 'no XMPP server was found for this domain',
  'remote-server-timeout': 'the XMPP server of this domain does not answer',
  'resource-constraint': 'the server of the recipient is full or overloaded',
  'service-unavailable': 'the user does not exist, or the address cannot receive messages',
  'subscription-required': 'the recipient only accepts messages from contacts',
};

/** Conditions with another meaning when a room is joined (XEP-0045 §7.2). */
export const JOIN_ERROR_TEXTS: Readonly<Record<string, string>> = {
  conflict: 'this nick is already in use in the room',
  forbidden: 'you are banned from this room',
  'item-not-found': 'the room does not exist',
  'not-acceptable': 'the room requires another nick',
  'not-allowed': 'the room does not exist, and you may not create it',
  'not-authorized': 'the room has a password, and the given one is missing or wrong',
  'registration-required': 'only members may enter this room',
  'service-unavailable': 'the room is full, or there is no room service at this address',
};

/** Conditions with another meaning when a message is sent to a room (XEP-0045 §7.4). */
export const ROOM_ERROR_TEXTS: Readonly<Record<string, string>> = {
  forbidden: 'you are not allowed to speak in this room',
  'item-not-found': 'the room does not exist',
  'not-acceptable': 'you are not in this room',
};

const NO_TEXTS: Readonly<Record<string, string>> = {};

/** Returns the condition of an error stanza. Servers may omit it. */
export function errorCondition(stanza: Element): string {
  const error = stanza.getChild('error');
  const condition = error?.getChildElements().find((child) => {
    return child.getNS() === STANZA_ERRORS && child.getName() !== 'text';
  });
  return condition?.getName() ?? 'undefined-condition';
}

/** Conditions with which rooms refuse messages that are not of the type `groupchat` (XEP-0045 §7.4). */
const ROOM_CONDITIONS: ReadonlySet<string> = new Set(['bad-request', 'not-acceptable']);

/** Usual first labels of room services. */
const ROOM_LABELS: ReadonlySet<string> = new Set(['chat', 'conference', 'groups', 'muc', 'room', 'rooms']);

/**
 * Returns true if a room may have sent this bounce of a message to one person. Rooms of Prosody answer `service-unavailable`, as
 * servers do for an unknown user. The domain must then have a usual name of a room service, or be a subdomain of the sender's
 * domain or of the same parent domain.
 */
function mayBeRoom(condition: string, to: string, sender: string): boolean {
  if (!to.includes('@')) return false;
  if (ROOM_CONDITIONS.has(condition)) return true;
  if (condition !== 'service-unavailable') return false;
  const [domain, own] = [domainOf(to), domainOf(sender)];
  if (!domain.includes('.') || domain === own) return false;
  const parent = parentOf(domain);
  const isBeside = parent === parentOf(own) && (parent.includes('.') || parent === 'localhost');
  return ROOM_LABELS.has(domain.slice(0, domain.indexOf('.'))) || parent === own || isBeside;
}

const parentOf = (domain: string): string => domain.slice(domain.indexOf('.') + 1);

const domainOf = (jid: string): string => (jid.split('/', 1)[0] ?? '').replace(/^[^@]*@/, '');

/** Returns the refusal for the sender of the message that the error stanza answers. */
export function refusalFromErrorStanza(
  stanza: Element,
  to: string,
  specialTexts: Readonly<Record<string, string>> = NO_TEXTS,
  code: 'bounced' | 'server_refused' = 'bounced',
): Refusal {
  const condition = errorCondition(stanza);
  const reason = specialTexts[condition] ?? ERROR_TEXTS[condition] ?? condition;
  const serverText = toOneLine(stanza.getChild('error')?.getChild('text', STANZA_ERRORS)?.getText() ?? '');
  const quoted = serverText === '' ? '' : ` (${serverText})`;
  const isHinted = specialTexts === NO_TEXTS && mayBeRoom(condition, to, String(stanza.attrs.to ?? ''));
  const hint = isHinted ? ' Is this a room? Then add type: groupchat.' : '';
  const text = `The message to ${to} was not delivered: ${reason}${quoted}.${hint}`;
  return new Refusal(code, { condition, text });
}

function toOneLine(text: string): string {
  return text
    .replace(/[\s\p{Cc}]+/gu, ' ')
    .trim()
    .slice(0, MAX_TEXT_LENGTH)
    .replace(/\.$/, '');
}
