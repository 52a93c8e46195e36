import { Refusal } from '../base/errors.ts';
import { describeInvalidJid, formatJid, parseJid } from '../base/jid.ts';
import type { MessageType } from '../stanza/message.ts';
import type { ApiClient } from './authenticate.ts';

/** Each recipient costs at least one message. For more recipients, senders can use a room. */
const MAX_RECIPIENTS = 100;

/**
 * Returns the JIDs of the recipients without duplicates. A name without `@` is completed with the domain of the
 * account. A token has no such domain, because a component has no accounts. Refusals: `recipient_missing`,
 * `bad_request`.
 */
export function parseRecipients(
  client: Pick<ApiClient, 'jid' | 'token'>,
  given: readonly string[],
  type: MessageType,
): string[] {
  const names = given.map((name) => name.trim()).filter((name) => name !== '');
  if (names.length === 0) throw new Refusal('recipient_missing');
  const jids = [...new Set(names.map((name) => parseRecipient(client, name, type)))];
  if (jids.length > MAX_RECIPIENTS) {
    throw new Refusal('bad_request', { text: `A message has at most ${MAX_RECIPIENTS} recipients.` });
  }
  return jids;
}

function parseRecipient(
  { jid: clientJid, token }: Pick<ApiClient, 'jid' | 'token'>,
  name: string,
  type: MessageType,
): string {
  const fullName = completeJid(clientJid, token === null, name);
  const jid = parseJid(fullName);
  if (jid === undefined) throw new Refusal('recipient_missing', { text: describeInvalidJid(fullName) });
  if (type === 'groupchat' && jid.resource !== '') {
    throw new Refusal('bad_request', {
      text: `${name} is an occupant of a room. Use type chat for a private message to an occupant.`,
    });
  }
  return formatJid(jid);
}

function completeJid(clientJid: string, isAccount: boolean, name: string): string {
  const slash = name.indexOf('/');
  const bare = slash < 0 ? name : name.slice(0, slash);
  if (bare.includes('@')) return name;
  if (!isAccount) {
    throw new Refusal('recipient_missing', {
      text: `${name} has no @. Requests with a token must name each recipient by its full address, such as juliet@example.org.`,
    });
  }
  return `${bare}@${clientJid.slice(clientJid.indexOf('@') + 1)}${slash < 0 ? '' : name.slice(slash)}`;
}
