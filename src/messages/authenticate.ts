import { timingSafeEqual } from 'node:crypto';
import { RE2JS } from 're2js';
import { Refusal } from '../base/errors.ts';
import { sha256Hex } from '../base/ids.ts';
import { formatBareJid, parseBareJid, parseJid } from '../base/jid.ts';
import type { MessageSender } from './delivery/message-sender.ts';
import type { MessageServices, TokenRule } from './message-services.ts';

/** What somebody shows to be let in. */
export type Credentials =
  | { readonly kind: 'basic'; readonly jid: string; readonly password: string }
  | { readonly kind: 'bearer'; readonly token: string };

/** Somebody who may send, and how. */
export interface ApiClient {
  /** Bare: who is charged for files. */
  readonly jid: string;
  readonly sender: MessageSender;
  /** Null for the account itself. */
  readonly token: TokenRule | null;
}

/**
 * Lets a sender in: an account by logging in to its server, a token by the config. `address` is who asks, as
 * `Login.address` has it. Refusals: `credentials_wrong` and those of `MessageSenders.openAccountSender`.
 */
export async function authenticateClient(
  deps: Pick<MessageServices, 'senders' | 'messageRules'>,
  credentials: Credentials,
  address: string,
): Promise<ApiClient> {
  if (credentials.kind === 'bearer') {
    const token = finderOf(deps.messageRules().tokens)(credentials.token);
    if (token === undefined) throw new Refusal('credentials_wrong', { text: 'That is no token of ours.' });
    return createTokenClient(deps, token);
  }
  const jid = parseJid(credentials.jid);
  if (jid === undefined || jid.local === '') {
    throw new Refusal('credentials_wrong', {
      text: 'The user must be a whole JID, such as romeo@example.org.',
    });
  }
  const sender = await deps.senders.openAccountSender({ ...credentials, address });
  return { jid: formatBareJid(jid), sender, token: null };
}

export function createTokenClient(
  { senders }: Pick<MessageServices, 'senders'>,
  token: TokenRule,
): ApiClient {
  return { jid: token.from, sender: senders.componentSender(token.from), token };
}

/** Refuses with `recipient_refused` where the sender's token does not let it write to this JID. */
export function checkRecipientAllowed({ token }: Pick<ApiClient, 'token'>, to: string): void {
  if (token === null) return;
  const bare = parseBareJid(to);
  if (bare === undefined || !matcherOf(token.to)(bare)) {
    throw new Refusal('recipient_refused', { text: `This token may not write to ${to}.` });
  }
}

/** Counts messages against the rate of the sender's token; `too_many_messages` where they are more than it may send. */
export async function chargeMessages(
  { ledger, clock }: Pick<MessageServices, 'ledger' | 'clock'>,
  { token }: Pick<ApiClient, 'token'>,
  count: number,
): Promise<void> {
  if (!token?.messages_per) return;
  const { period, messages: limit } = token.messages_per;
  const key = `token:${hashToken(token.token)}`;
  const charged = await ledger.chargeMessageRate({ key, period, limit, count, now: clock() });
  if (charged.outcome === 'ok') return;
  const { retryAt } = charged;
  if (retryAt !== null) throw new Refusal('too_many_messages', { retryAt });
  throw new Refusal('too_many_messages', {
    text: `This token may send ${limit} messages at one time at most.`,
  });
}

/** Finds the entry whose token is given, in a time that depends on none of them. */
export function createTokenFinder<T extends { readonly token: string }>(
  entries: readonly T[],
): (given: string) => T | undefined {
  const digests = entries.map(({ token }) => Buffer.from(hashToken(token), 'hex'));
  return (given) => {
    const digest = Buffer.from(sha256Hex(given), 'hex');
    let found: T | undefined;
    for (const [place, own] of digests.entries()) if (timingSafeEqual(own, digest)) found = entries[place];
    return found;
  };
}

const HASHED = /^sha256:([0-9a-f]{64})$/i;

/** Hex SHA-256 of a token of the config, whichever way it is written there. */
export function hashToken(token: string): string {
  return HASHED.exec(token)?.[1]?.toLowerCase() ?? sha256Hex(token);
}

/** Says whether a bare JID matches one of the patterns; in linear time, whoever chose the JID. */
export function createJidMatcher(patterns: readonly string[]): (bare: string) => boolean {
  const compiled = patterns.map((pattern) => RE2JS.compile(pattern));
  return (bare) => compiled.some((pattern) => pattern.matcher(bare).find());
}

const finderOf = oncePerList(createTokenFinder<TokenRule>);
const matcherOf = oncePerList(createJidMatcher);

/** The lists are those of the config: a reload brings new ones. */
function oncePerList<T, R>(make: (list: readonly T[]) => R): (list: readonly T[]) => R {
  const made = new WeakMap<readonly T[], R>();
  return (list) => {
    const known = made.get(list);
    if (known !== undefined) return known;
    const result = make(list);
    made.set(list, result);
    return result;
  };
}
