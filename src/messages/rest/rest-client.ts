import { Refusal } from '../../base/errors.ts';
import { secretsEqual } from '../../base/ids.ts';
import { describeInvalidJid, formatBareJid, formatJid, type Jid, parseJid } from '../../base/jid.ts';
import { type ApiClient, authenticateClient, type Credentials } from '../authenticate.ts';
import type { MessageSender } from '../delivery/message-sender.ts';
import type { MessageServices } from '../message-services.ts';
import { invalidStanza } from './invalid-stanza.ts';

/** An authenticated client that may send stanzas. */
export interface RestClient extends ApiClient {
  /**
   * The client may send from every JID in this scope: a component from all addresses at its domain, an account from its bare JID
   * with any resource, a token from this JID only.
   */
  readonly addressScope: Jid;
}

/** Slows guesses of component secrets. Guesses of passwords are slowed by `MessageSenders.openAccountSender`. */
export interface SecretGuard {
  /** Runs `work` or throws `too_many_attempts`. `isGuess` returns true if the error of `work` is a wrong secret. */
  attempt<T>(
    login: { readonly account: string; readonly address: string },
    work: () => Promise<T>,
    isGuess: (error: unknown) => boolean,
  ): Promise<T>;
}

export type RestAuthServices = Pick<MessageServices, 'senders' | 'messageRules'> & {
  readonly secretGuard: SecretGuard;
};

/** Authenticates like `authenticateClient`, and also a configured component by its JID and secret. */
export async function authenticateRestClient(
  services: RestAuthServices,
  credentials: Credentials,
  address: string,
): Promise<RestClient> {
  const client =
    (await authenticateComponent(services, credentials, address)) ??
    (await authenticateClient(services, credentials, address));
  const addressScope = parseJid(client.jid);
  if (addressScope === undefined) throw new Error(`The client has an invalid JID: ${client.jid}`);
  return { ...client, addressScope };
}

async function authenticateComponent(
  { messageRules, senders, secretGuard }: RestAuthServices,
  credentials: Credentials,
  address: string,
): Promise<ApiClient | undefined> {
  if (credentials.kind !== 'basic') return undefined;
  const jid = parseJid(credentials.jid);
  const component = messageRules().components.find((entry) => jid && entry.jid === formatBareJid(jid));
  if (component === undefined || jid?.resource !== '') return undefined;
  const { jid: account, secret } = component;
  const compare = async () => {
    if (!secretsEqual(credentials.password, secret)) throw new Refusal('credentials_wrong');
  };
  await secretGuard.attempt({ account, address }, compare, (error) => error instanceof Refusal);
  return { jid: account, sender: senders.componentSender(account), token: null };
}

/**
 * Returns the sender for the `from` of a stanza. Without one it is the sender of the client. An account always sends from
 * the address of its session. Refusals: `stanza_unfit`, `sender_refused`.
 */
export function senderForAddress(
  { senders }: Pick<RestAuthServices, 'senders'>,
  client: RestClient,
  from: string | undefined,
): MessageSender {
  if (from === undefined) return client.sender;
  const jid = parseJid(from);
  if (jid === undefined) throw invalidStanza('invalid-from', `from: ${describeInvalidJid(from)}`);
  const { addressScope } = client;
  const isAllowed = client.token === null ? isWithin(jid, addressScope) : formatJid(jid) === client.jid;
  if (!isAllowed) {
    throw new Refusal('sender_refused', {
      text: `You are logged in as ${formatBareJid(addressScope)} and may not send from ${from}.`,
    });
  }
  if (isAccount(client)) return client.sender;
  return senders.componentSender(formatJid(jid));
}

/** Returns true if the client has an account on its server. All other clients send through a component. */
export function isAccount({ token, addressScope }: RestClient): boolean {
  return token === null && addressScope.local !== '';
}

function isWithin(jid: Jid, { local, domain, resource }: Jid): boolean {
  if (jid.domain !== domain) return false;
  return (local === '' || jid.local === local) && (resource === '' || jid.resource === resource);
}
