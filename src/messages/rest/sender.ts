import { Refusal } from '../../base/errors.ts';
import { sameSecret } from '../../base/ids.ts';
import { bareOf, type Jid, parseJid } from '../../base/jid.ts';
import type { MessageDeps } from '../deps.ts';
import { type Credentials, identify, type Sender } from '../senders.ts';
import type { Speaker } from '../speaker.ts';
import { unfit } from './unfit.ts';

/** Somebody who may send stanzas, and from which addresses. */
export interface StanzaSender extends Sender {
  /** Everything at this JID: of a domain all its users, of a bare JID all its resources. */
  readonly within: Jid;
}

/** Slows who guesses at the secret of a component, as the passwords of accounts are guarded by `Speakers.account`. */
export interface Guard {
  /** Does `work`, or refuses with `too_many_attempts`; `isGuess` says whether what it threw was a wrong secret. */
  attempt<T>(
    tried: { readonly account: string; readonly address: string },
    work: () => Promise<T>,
    isGuess: (fault: unknown) => boolean,
  ): Promise<T>;
}

export interface SenderDeps extends Pick<MessageDeps, 'speakers' | 'messages'> {
  readonly guard: Guard;
}

/** As `identify`, and a component of ours by its JID and secret. */
export async function identifyStanzaSender(
  deps: SenderDeps,
  credentials: Credentials,
  address: string,
): Promise<StanzaSender> {
  const sender =
    (await componentSender(deps, credentials, address)) ?? (await identify(deps, credentials, address));
  const within = parseJid(sender.jid);
  if (within === undefined) throw new Error(`no JID: ${sender.jid}`);
  return { ...sender, within };
}

async function componentSender(
  { messages, speakers, guard }: SenderDeps,
  credentials: Credentials,
  address: string,
): Promise<Sender | undefined> {
  if (credentials.kind !== 'basic') return undefined;
  const jid = parseJid(credentials.jid);
  const component = messages().components.find((one) => jid && one.jid === bareOf(jid));
  if (component === undefined || jid?.resource !== '') return undefined;
  const { jid: account, secret } = component;
  const compare = async () => {
    if (!sameSecret(credentials.password, secret)) throw new Refusal('credentials_wrong');
  };
  await guard.attempt({ account, address }, compare, (fault) => fault instanceof Refusal);
  return { jid: account, speaker: speakers.component(account), token: null };
}

/**
 * Who sends what is from this address; undefined = the sender as such. A session has one address of its own, which its
 * stanzas leave from whatever resource is asked for. Refusals: `stanza_unfit`, `sender_refused`.
 */
export function speakerFrom(
  { speakers }: Pick<SenderDeps, 'speakers'>,
  sender: StanzaSender,
  from: string | undefined,
): Speaker {
  if (from === undefined) return sender.speaker;
  const jid = parseJid(from);
  if (jid === undefined) throw unfit('invalid-from', `${from} is no JID to send from.`);
  if (!lies(jid, sender.within)) {
    throw new Refusal('sender_refused', {
      text: `You are ${bareOf(sender.within)}: you may not send from ${from}.`,
    });
  }
  const isAccount = sender.token === null && sender.within.local !== '';
  if (isAccount) return sender.speaker;
  return speakers.component(jid.resource === '' ? bareOf(jid) : `${bareOf(jid)}/${jid.resource}`);
}

function lies(jid: Jid, within: Jid): boolean {
  const { local, domain, resource } = within;
  if (jid.domain !== domain) return false;
  return (local === '' || jid.local === local) && (resource === '' || jid.resource === resource);
}
