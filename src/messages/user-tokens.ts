import { Refusal } from '../base/errors.ts';
import { sha256Hex } from '../base/ids.ts';
import type { WebToken } from '../ledger/contract/ledger.ts';
import { type ApiClient, authenticateClient, type Credentials } from './authenticate.ts';
import type { MessageServices } from './message-services.ts';

/** Prefix of the tokens that users make on the web page. Tokens without it are not looked up in the ledger. */
export const USER_TOKEN_PREFIX = 'porter_';

/** The use of a token is recorded at most this often. */
const RECORD_USE_MS = 3600_000;

/** Such a token can only write to its own user, so this rate protects the XMPP server and not other users. */
const MESSAGES_PER = { period: 60_000, messages: 60 };

/** Returns a token of a user, and records its use. Undefined if it is unknown, revoked or expired. */
export async function findUserToken(
  { ledger, clock }: Pick<MessageServices, 'ledger' | 'clock'>,
  token: string,
): Promise<WebToken | undefined> {
  if (!token.startsWith(USER_TOKEN_PREFIX)) return undefined;
  const now = clock();
  const found = await ledger.findToken({ secretHash: sha256Hex(token), now });
  if (found && now - (found.lastUsedAt ?? 0) >= RECORD_USE_MS)
    await ledger.recordTokenUse({ id: found.id, now });
  return found;
}

/**
 * Authenticates like `authenticateClient`, and also a user by a token with this scope. Such a client sends from the first component
 * and only to its user; files are charged to the user. Throws `Refusal` (`not_permitted`) for a token without the scope.
 */
export async function authenticateWithUserTokens(
  services: Pick<MessageServices, 'senders' | 'messageRules' | 'findTokenOfUser'>,
  credentials: Credentials,
  address: string,
  scope: 'message' | 'share',
): Promise<ApiClient> {
  const found =
    credentials.kind === 'bearer' ? await services.findTokenOfUser?.(credentials.token) : undefined;
  if (credentials.kind !== 'bearer' || found === undefined)
    return authenticateClient(services, credentials, address);
  if (!found.scopes.includes(scope)) {
    throw new Refusal('not_permitted', { text: `The token does not have the scope ${scope}.` });
  }
  return clientOfUser(services, credentials.token, found.jid);
}

function clientOfUser(
  { senders, messageRules }: Pick<MessageServices, 'senders' | 'messageRules'>,
  token: string,
  jid: string,
): ApiClient {
  const from = messageRules().components[0]?.jid ?? '';
  const to = [`^${escapePattern(jid)}$`];
  return {
    jid,
    get sender() {
      return senders.componentSender(from);
    },
    token: { token, from, to, messages_per: MESSAGES_PER, queue: false },
  };
}

/** Escapes ASCII punctuation for RE2. */
function escapePattern(text: string): string {
  return text.replace(/[!-/:-@[-`{-~]/g, '\\$&');
}
