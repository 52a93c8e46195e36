import xml, { type Element } from '@xmpp/xml';
import { randomId } from '../../base/ids.ts';
import type { Jid } from '../../base/jid.ts';
import { dial, type Safety, safetyOf, tlsOptions } from './dial.ts';
import { type Names, NoPlace, namedPlaces, type Place, placesOf } from './places.ts';
import { preparePassword } from './prepare.ts';
import { authenticate, SaslFault, type SaslUser } from './sasl.ts';
import type { XmlStream } from './xml-stream.ts';

/** `messages` of the config, as far as logging in goes. */
export interface LoginSettings {
  /** Null = found by the domain of the account. */
  readonly server: { readonly host: string; readonly port: number } | null;
  /** The server named there speaks TLS from the first byte. */
  readonly directTls: boolean;
  readonly requireTls: boolean;
  /** Milliseconds for the whole of it. */
  readonly answerTimeout: number;
}

/** An account's stream after its login. */
export interface LoggedIn {
  readonly stream: XmlStream;
  /** Full, as the server has bound it. */
  readonly jid: string;
}

/** The server gives no TLS, and the password is not sent without. */
export class NoTls extends Error {}

/** The server has let us in and then refused the resource (RFC 6120 §7.6.2). */
export class BindFault extends Error {
  readonly condition: string;

  constructor(answer: Element) {
    const [error] = answer.getChild('error')?.getChildElements() ?? [];
    super('the server refuses the resource');
    this.condition = error?.getName() ?? 'undefined-condition';
  }
}

const TLS = 'urn:ietf:params:xml:ns:xmpp-tls';
const BIND = 'urn:ietf:params:xml:ns:xmpp-bind';
const SESSION = 'urn:ietf:params:xml:ns:xmpp-session';
const CONNECT_MS = 5_000;

/** Logs an account in (RFC 6120 §4 to §7). Rejects with whatever stood in the way; `faults.ts` knows what it means. */
export async function logIn(
  names: Names,
  settings: LoginSettings,
  jid: Jid,
  password: string,
): Promise<LoggedIn> {
  const prepared = preparePassword(password);
  if (prepared === undefined || password.includes('\0')) throw new SaslFault('not-authorized');
  const user = { name: jid.local, password: prepared, rawPassword: password };
  const giveUp = new AbortController();
  const timer = setTimeout(() => giveUp.abort(new TooSlow('no answer in time')), settings.answerTimeout);
  try {
    const work = connectAndLogIn(names, settings, jid, user, giveUp.signal);
    return await Promise.race([work, aborted(giveUp.signal)]);
  } finally {
    clearTimeout(timer);
  }
}

/** The time for the login is over. */
export class TooSlow extends Error {}

function aborted(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason)));
}

async function connectAndLogIn(
  names: Names,
  settings: LoginSettings,
  jid: Jid,
  user: SaslUser,
  signal: AbortSignal,
): Promise<LoggedIn> {
  const { server, directTls } = settings;
  const places = server ? await namedPlaces(names, server, directTls) : await placesOf(names, jid.domain);
  const { stream, place } = await connectToOne(places, jid.domain, settings, signal);
  try {
    const bound = await negotiate(stream, place, safetyOf(place, settings.requireTls), jid, user);
    return { stream, jid: bound };
  } catch (error) {
    stream.drop(error);
    throw error;
  }
}

/** The first place that takes the connection; one after the other, because most domains have one. */
async function connectToOne(
  places: readonly Place[],
  domain: string,
  { requireTls }: LoginSettings,
  signal: AbortSignal,
): Promise<{ stream: XmlStream; place: Place }> {
  let fault: unknown = new NoPlace(`no XMPP server is known for ${domain}`, { isUnknown: true });
  for (const place of places) {
    try {
      const stream = await dial(place, domain, safetyOf(place, requireTls), CONNECT_MS, signal);
      return { stream, place };
    } catch (error) {
      signal.throwIfAborted();
      fault = error;
    }
  }
  throw fault;
}

async function negotiate(
  stream: XmlStream,
  place: Place,
  safety: Safety,
  jid: Jid,
  user: SaslUser,
): Promise<string> {
  let features = await stream.open(jid.domain);
  let isSecret = place.isDirect;
  if (!isSecret && features.getChild('starttls', TLS)) {
    features = await startTls(stream, jid.domain, safety);
    isSecret = true;
  }
  if (!isSecret && safety.isTlsRequired) throw new NoTls('the server does not offer TLS');
  await authenticate(stream, features, user, isSecret || !safety.isTlsRequired);
  return bind(stream, await stream.open(jid.domain), jid.resource);
}

async function startTls(stream: XmlStream, domain: string, safety: Safety): Promise<Element> {
  stream.write(xml('starttls', TLS).toString());
  const answer = await stream.next();
  if (!answer.is('proceed', TLS)) throw new NoTls('the server offers TLS and then refuses it');
  await stream.secure(tlsOptions(domain, safety));
  return stream.open(domain);
}

async function bind(stream: XmlStream, features: Element, wished: string): Promise<string> {
  const resource = wished === '' ? `porter-${randomId().slice(0, 10)}` : wished;
  const answer = await ask(stream, xml('bind', BIND, xml('resource', {}, resource)));
  if (answer.attrs.type !== 'result') throw new BindFault(answer);
  const jid = answer.getChild('bind', BIND)?.getChild('jid')?.getText();
  if (!jid) throw new BindFault(answer);
  // Asked for by servers of RFC 3921; those of today call it optional, or do not offer it.
  const session = features.getChild('session', SESSION);
  if (session && !session.getChild('optional')) await ask(stream, xml('session', SESSION));
  return jid;
}

async function ask(stream: XmlStream, element: Element): Promise<Element> {
  const id = randomId();
  stream.write(xml('iq', { type: 'set', id }, element).toString());
  for (;;) {
    const answer = await stream.next();
    if (answer.name === 'iq' && answer.attrs.id === id) return answer;
  }
}
