import { Refusal } from '../../base/errors.ts';
import { secretsEqual } from '../../base/ids.ts';
import { formatBareJid, type Jid, parseJid } from '../../base/jid.ts';
import { type ApiClient, authenticateClient, type Credentials } from '../authenticate.ts';
import type { MessageSender } from '../delivery/message-sender.ts';
import type { MessageServices } from '../message-services.ts';
import { invalidStanza } from './invalid-stanza.ts';

/** Somebody who may send stanzas, and from which addresses. */
export interface RestClient extends ApiClient {
  /** Everything at this JID: of a domain all its users, of a bare JID all its resources. */
  readonly addressScope: Jid;
}

/** Slows who guesses at the secret of a component, as the passwords of accounts are guarded by `MessageSenders.openAccountSender`. */
export interface SecretGuard {
  /** Does `work`, or refuses with `too_many_attempts`; `isGuess` says whether what it threw was a wrong secret. */
  attempt<T>(
    tried: { readonly account: string; readonly address: string },
    work: () => Promise<T>,
    isGuess: (fault: unknown) => boolean,
  ): Promise<T>;
}

export interface RestAuthServices extends Pick<MessageServices, 'senders' | 'messageRules'> {
  readonly secretGuard: SecretGuard;
}

/** As `identify`, and a component of ours by its JID and secret. */
export async function authenticateRestClient(
  deps: RestAuthServices,
  credentials: Credentials,
  address: string,
): Promise<RestClient> {
  const sender =
    (await componentSender(deps, credentials, address)) ??
    (await authenticateClient(deps, credentials, address));
  const addressScope = parseJid(sender.jid);
  if (addressScope === undefined) throw new Error(`no JID: ${sender.jid}`);
  return { ...sender, addressScope };
}

async function componentSender(
  { messageRules, senders, secretGuard }: RestAuthServices,
  credentials: Credentials,
  address: string,
): Promise<ApiClient | undefined> {
  if (credentials.kind !== 'basic') return undefined;
  const jid = parseJid(credentials.jid);
  const component = messageRules().components.find((one) => jid && one.jid === formatBareJid(jid));
  if (component === undefined || jid?.resource !== '') return undefined;
  const { jid: account, secret } = component;
  const compare = async () => {
    if (!secretsEqual(credentials.password, secret)) throw new Refusal('credentials_wrong');
  };
  await secretGuard.attempt({ account, address }, compare, (fault) => fault instanceof Refusal);
  return { jid: account, sender: senders.componentSender(account), token: null };
}

/**
 * Who sends what is from this address; undefined = the sender as such. A session has one address of its own, which its
 * stanzas leave from whatever resource is asked for. Refusals: `stanza_unfit`, `sender_refused`.
 */
export function senderForAddress(
  { senders }: Pick<RestAuthServices, 'senders'>,
  sender: RestClient,
  from: string | undefined,
): MessageSender {
  if (from === undefined) return sender.sender;
  const jid = parseJid(from);
  if (jid === undefined) throw invalidStanza('invalid-from', `${from} is no JID to send from.`);
  if (!lies(jid, sender.addressScope)) {
    throw new Refusal('sender_refused', {
      text: `You are ${formatBareJid(sender.addressScope)}: you may not send from ${from}.`,
    });
  }
  const isAccount = sender.token === null && sender.addressScope.local !== '';
  if (isAccount) return sender.sender;
  return senders.componentSender(
    jid.resource === '' ? formatBareJid(jid) : `${formatBareJid(jid)}/${jid.resource}`,
  );
}

function lies(jid: Jid, within: Jid): boolean {
  const { local, domain, resource } = within;
  if (jid.domain !== domain) return false;
  return (local === '' || jid.local === local) && (resource === '' || jid.resource === resource);
}
