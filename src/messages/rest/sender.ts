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

type SenderDeps = Pick<MessageDeps, 'speakers' | 'messages'>;

/** As `identify`, and a component of ours by its JID and secret. */
export async function identifyStanzaSender(
  deps: SenderDeps,
  credentials: Credentials,
  address: string,
): Promise<StanzaSender> {
  const sender = componentSender(deps, credentials) ?? (await identify(deps, credentials, address));
  const within = parseJid(sender.jid);
  if (within === undefined) throw new Error(`no JID: ${sender.jid}`);
  return { ...sender, within };
}

function componentSender(deps: SenderDeps, credentials: Credentials): Sender | undefined {
  if (credentials.kind !== 'basic') return undefined;
  const jid = parseJid(credentials.jid);
  const component = deps.messages().components.find((one) => jid && one.jid === bareOf(jid));
  if (component === undefined || jid?.resource !== '') return undefined;
  if (!sameSecret(credentials.password, component.secret)) throw new Refusal('credentials_wrong');
  return { jid: component.jid, speaker: deps.speakers.component(component.jid), token: null };
}

/**
 * Who sends what is from this address; undefined = the sender as such. A session has one address of its own, which its
 * stanzas leave from whatever resource is asked for. Refusals: `stanza_unfit`, `sender_refused`.
 */
export function speakerFrom(
  { speakers }: SenderDeps,
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
