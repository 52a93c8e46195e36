import type { Element } from '@xmpp/xml';
import { Refusal } from '../../base/errors.ts';

const STANZA_ERRORS = 'urn:ietf:params:xml:ns:xmpp-stanzas';
const LONGEST_TEXT = 300;

/** RFC 6120 §8.3.3, as its sender can act on it. */
const words: Readonly<Record<string, string>> = {
  conflict: 'the name is taken',
  'feature-not-implemented': 'they cannot receive such messages',
  forbidden: 'they do not let you write to them',
  gone: 'they are no longer at this address',
  'internal-server-error': 'something went wrong at their server',
  'item-not-found': 'there is no such address',
  'jid-malformed': 'the address is malformed',
  'not-acceptable': 'they do not accept this message',
  'not-allowed': 'you may not write there',
  'not-authorized': 'you may not write there',
  'policy-violation': 'their server has rules against it',
  'recipient-unavailable': 'they are not there now',
  'registration-required': 'only members may write there',
  'remote-server-not-found': 'no XMPP server is known at that domain',
  'remote-server-timeout': 'the XMPP server of that domain does not answer',
  'resource-constraint': 'their server has no room, or too much to do',
  'service-unavailable': 'there is no such user, or nobody is there to receive it',
  'subscription-required': 'they take messages from their contacts only',
};

/** What of it means something else at a room (XEP-0045 §7.2, §7.4). */
export const JOIN_ERROR_TEXTS: Readonly<Record<string, string>> = {
  conflict: 'somebody else has this name there',
  forbidden: 'you are banned from this room',
  'item-not-found': 'there is no such room',
  'not-acceptable': 'the room wants another name',
  'not-allowed': 'there is no such room, and you may not make one',
  'not-authorized': 'the room has a password, and this is not it',
  'registration-required': 'the room lets only its members in',
  'service-unavailable': 'the room is full, or no rooms are there',
};

export const ROOM_ERROR_TEXTS: Readonly<Record<string, string>> = {
  forbidden: 'you have no voice in this room',
  'item-not-found': 'there is no such room',
  'not-acceptable': 'you are not in this room',
};

/** The condition of an error stanza; servers may leave it out. */
export function errorCondition(stanza: Element): string {
  const error = stanza.getChild('error');
  const found = error?.getChildElements().find((child) => {
    return child.getNS() === STANZA_ERRORS && child.getName() !== 'text';
  });
  return found?.getName() ?? 'undefined-condition';
}

/** The refusal that an error stanza means to who sent what it answers. */
export function refusalFromErrorStanza(
  stanza: Element,
  to: string,
  special: Readonly<Record<string, string>> = {},
  code: 'bounced' | 'server_refused' = 'bounced',
): Refusal {
  const condition = errorCondition(stanza);
  const why = special[condition] ?? words[condition] ?? condition;
  const said = oneLine(stanza.getChild('error')?.getChild('text', STANZA_ERRORS)?.getText() ?? '');
  const text = `The message to ${to} came back: ${why}${said === '' ? '' : ` (${said})`}.`;
  return new Refusal(code, { condition, text });
}

function oneLine(text: string): string {
  return text
    .replace(/[\s\p{Cc}]+/gu, ' ')
    .trim()
    .slice(0, LONGEST_TEXT)
    .replace(/\.$/, '');
}
