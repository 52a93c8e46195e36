import { Refusal } from '../base/errors.ts';
import { formatBareJid, parseJid } from '../base/jid.ts';
import type { MessageType } from '../stanza/message.ts';
import type { ApiClient } from './authenticate.ts';

/** Each is a message or more; whoever writes to more people has a room for that. */
export const MAX_RECIPIENTS = 100;

/**
 * The JIDs that a sender means, each once. A name without `@` is a user of the account's own host; a token has no
 * such host, because nobody has an account at a component.
 */
export function parseRecipients(
  sender: Pick<ApiClient, 'jid' | 'token'>,
  given: readonly string[],
  type: MessageType,
): string[] {
  const names = given.map((name) => name.trim()).filter((name) => name !== '');
  if (names.length === 0) throw new Refusal('recipient_missing');
  const jids = [...new Set(names.map((name) => readRecipient(sender, name, type)))];
  if (jids.length > MAX_RECIPIENTS) {
    throw new Refusal('bad_request', { text: `A message has at most ${MAX_RECIPIENTS} recipients.` });
  }
  return jids;
}

function readRecipient(
  { jid: own, token }: Pick<ApiClient, 'jid' | 'token'>,
  name: string,
  type: MessageType,
) {
  const jid = parseJid(wholeJid(own, token === null, name));
  if (jid === undefined) throw new Refusal('recipient_missing', { text: `${name} is no JID.` });
  if (type === 'groupchat' && jid.resource !== '') {
    throw new Refusal('bad_request', { text: `${name} is somebody in a room: to them the type is chat.` });
  }
  return jid.resource === '' ? formatBareJid(jid) : `${formatBareJid(jid)}/${jid.resource}`;
}

function wholeJid(own: string, hasHost: boolean, name: string): string {
  const slash = name.indexOf('/');
  const bare = slash < 0 ? name : name.slice(0, slash);
  if (bare.includes('@')) return name;
  if (!hasHost) {
    throw new Refusal('recipient_missing', {
      text: `${name} has no @: whoever writes with a token names recipients by their whole JIDs.`,
    });
  }
  return `${bare}@${own.slice(own.indexOf('@') + 1)}${slash < 0 ? '' : name.slice(slash)}`;
}
