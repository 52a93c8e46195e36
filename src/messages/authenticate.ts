import { RE2JS } from 're2js';
import { Refusal } from '../base/errors.ts';
import { digestsEqual, sha256Hex } from '../base/ids.ts';
import { describeInvalidJid, parseBareJid, parseJid } from '../base/jid.ts';
import { formatCount } from '../base/units.ts';
import type { MessageSender } from './delivery/message-sender.ts';
import type { TokenRule } from './message-rules.ts';
import type { MessageServices } from './message-services.ts';

/** Credentials of an HTTP request. */
export type Credentials =
  | { readonly kind: 'basic'; readonly jid: string; readonly password: string }
  | { readonly kind: 'bearer'; readonly token: string };

/** An authenticated HTTP client that may send messages. */
export interface ApiClient {
  /** Bare JID, for an account as its XMPP server has bound it. Files are charged to it. */
  readonly jid: string;
  readonly sender: MessageSender;
  /** Null if the client logged in with an XMPP account. */
  readonly token: TokenRule | null;
}

/**
 * Authenticates an account by a login to its XMPP server, and a token by the config. `address` is the client's address,
 * as in `AccountLogin.address`. Refusals: `credentials_wrong` and those of `MessageSenders.openAccountSender`.
 */
export async function authenticateClient(
  { senders, messageRules }: Pick<MessageServices, 'senders' | 'messageRules'>,
  credentials: Credentials,
  address: string,
): Promise<ApiClient> {
  if (credentials.kind === 'bearer') {
    const token = tokenFinderFor(messageRules().tokens)(credentials.token);
    if (token === undefined) throw new Refusal('credentials_wrong', { text: 'The token is unknown.' });
    return createTokenClient({ senders }, token);
  }
  return authenticateAccount({ senders }, credentials, address);
}

/** Authenticates an account by a login to its XMPP server. The refusals are those of `authenticateClient`. */
export async function authenticateAccount(
  { senders }: Pick<MessageServices, 'senders'>,
  credentials: { readonly jid: string; readonly password: string },
  address: string,
): Promise<ApiClient> {
  const jid = parseJid(credentials.jid);
  if (jid === undefined || jid.local === '') {
    throw new Refusal('credentials_wrong', {
      text:
        jid === undefined && credentials.jid.includes('@')
          ? describeInvalidJid(credentials.jid)
          : 'The user name must be a full account address, such as romeo@example.org.',
    });
  }
  const sender = await senders.openAccountSender({
    jid: credentials.jid,
    password: credentials.password,
    address,
  });
  // The server decides which account a spelling means: `straße` is `strasse` at most servers.
  const bound = parseBareJid(sender.jid);
  if (bound === undefined) throw new Error(`The session has an invalid JID: ${sender.jid}`);
  return { jid: bound, sender, token: null };
}

/** Returns the client of a token. It sends from the address of the token at a component. */
export function createTokenClient(
  { senders }: Pick<MessageServices, 'senders'>,
  token: TokenRule,
): ApiClient {
  return { jid: token.from, sender: senders.componentSender(token.from), token };
}

/** Throws `recipient_refused` if the client's token does not allow this recipient. */
export function checkRecipientAllowed({ token }: Pick<ApiClient, 'token'>, to: string): void {
  if (token === null) return;
  const bare = parseBareJid(to);
  if (bare === undefined || !jidMatcherFor(token.to)(bare)) {
    throw new Refusal('recipient_refused', { text: `This token may not write to ${to}.` });
  }
}

/** Counts messages against the rate of the client's token. Throws `too_many_messages` if the rate is exceeded. */
export async function chargeMessages(
  { ledger, clock }: Pick<MessageServices, 'ledger' | 'clock'>,
  { token }: Pick<ApiClient, 'token'>,
  count: number,
): Promise<void> {
  if (!token?.messages_per) return;
  const { period, messages: limit } = token.messages_per;
  const key = `token:${hashToken(token.token)}`;
  const charge = await ledger.chargeMessageRate({ key, period, limit, count, now: clock() });
  if (charge.outcome === 'ok') return;
  const { retryAt } = charge;
  if (retryAt !== null) throw new Refusal('too_many_messages', { retryAt });
  throw new Refusal('too_many_messages', {
    text: `This token may send at most ${formatCount(limit, 'message')} in one request.`,
  });
}

/** Returns a function that finds the entry of a token. Its run time does not depend on the tokens. */
export function createTokenFinder<T extends { readonly token: string }>(
  entries: readonly T[],
): (token: string) => T | undefined {
  const digests = entries.map(({ token }) => Buffer.from(hashToken(token), 'hex'));
  return (token) => {
    const given = Buffer.from(sha256Hex(token), 'hex');
    let found: T | undefined;
    for (const [index, digest] of digests.entries()) {
      if (digestsEqual(digest, given)) found = entries[index];
    }
    return found;
  };
}

const HASHED = /^sha256:([0-9a-f]{64})$/i;

/** Returns the hex SHA-256 of a token of the config, which may be written as `sha256:HEX`. */
export function hashToken(token: string): string {
  return HASHED.exec(token)?.[1]?.toLowerCase() ?? sha256Hex(token);
}

/** Returns a function that matches a bare JID against RE2 patterns. It runs in linear time for every JID. */
export function createJidMatcher(patterns: readonly string[]): (bare: string) => boolean {
  const compiled = patterns.map((pattern) => RE2JS.compile(pattern));
  return (bare) => compiled.some((pattern) => pattern.matcher(bare).find());
}

export interface AccountRules {
  /** `messages.accounts`; null for the default. */
  readonly accounts: readonly string[] | null;
  /** JIDs of the components, and the domains that they serve. */
  readonly components: readonly string[];
  readonly access: readonly { readonly jid: readonly string[]; readonly deny: boolean }[];
}

/** A domain that no rule can name (RFC 2606). */
const UNNAMED_DOMAIN = 'porter-names-no-such-domain.invalid';

/**
 * Returns a function that tells whether an account (bare JID) may log in. By default the config must name its domain, because
 * a login at any other domain would let strangers send through this server. The config names the domains of the components,
 * their parent domains, and those of a rule of `access` that would not match the same local part at another domain.
 */
export function createAccountMatcher({
  accounts,
  components,
  access,
}: AccountRules): (bare: string) => boolean {
  if (accounts !== null) return createJidMatcher(accounts);
  const domains = new Set(components.flatMap((jid) => [jid, jid.slice(jid.indexOf('.') + 1)]));
  const rules = access
    .filter(({ deny }) => !deny)
    .flatMap(({ jid }) => jid.map((text) => createJidMatcher([text])));
  return (bare) => {
    const at = bare.lastIndexOf('@');
    if (domains.has(bare.slice(at + 1))) return true;
    const elsewhere = `${bare.slice(0, at)}@${UNNAMED_DOMAIN}`;
    return rules.some((matches) => matches(bare) && !matches(elsewhere));
  };
}

const tokenFinderFor = memoizePerList(createTokenFinder<TokenRule>);
const jidMatcherFor = memoizePerList(createJidMatcher);

/** Caches the result for each list. A reload of the config creates new lists; the results of old lists are garbage-collected. */
function memoizePerList<T, R>(create: (list: readonly T[]) => R): (list: readonly T[]) => R {
  const results = new WeakMap<readonly T[], R>();
  return (list) => {
    const known = results.get(list);
    if (known !== undefined) return known;
    const result = create(list);
    results.set(list, result);
    return result;
  };
}
