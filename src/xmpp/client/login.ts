import xml, { type Element } from '@xmpp/xml';
import { randomId } from '../../base/ids.ts';
import type { Jid } from '../../base/jid.ts';
import { connectToServer, type TlsPolicy, tlsOptions, tlsPolicyFor } from './connect.ts';
import { authenticate, type SaslCredentials, SaslError } from './sasl.ts';
import { preparePassword } from './saslprep.ts';
import {
  type DnsResolver,
  NoServerFoundError,
  resolveConfiguredServer,
  resolveDomain,
  type XmppServerAddress,
} from './server-addresses.ts';
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
export interface BoundStream {
  readonly stream: XmlStream;
  /** Full, as the server has bound it. */
  readonly jid: string;
}

/** The server gives no TLS, and the password is not sent without. */
export class TlsUnavailableError extends Error {}

/** The server has let us in and then refused the resource (RFC 6120 §7.6.2). */
export class BindError extends Error {
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
  names: DnsResolver,
  settings: LoginSettings,
  jid: Jid,
  password: string,
): Promise<BoundStream> {
  const prepared = preparePassword(password);
  if (prepared === undefined || password.includes('\0')) throw new SaslError('not-authorized');
  const user = { name: jid.local, password: prepared, rawPassword: password };
  const giveUp = new AbortController();
  const timer = setTimeout(
    () => giveUp.abort(new LoginTimeoutError('no answer in time')),
    settings.answerTimeout,
  );
  try {
    const work = connectAndLogIn(names, settings, jid, user, giveUp.signal);
    return await Promise.race([work, aborted(giveUp.signal)]);
  } finally {
    clearTimeout(timer);
  }
}

/** The time for the login is over. */
export class LoginTimeoutError extends Error {}

function aborted(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason)));
}

async function connectAndLogIn(
  names: DnsResolver,
  settings: LoginSettings,
  jid: Jid,
  user: SaslCredentials,
  signal: AbortSignal,
): Promise<BoundStream> {
  const { server, directTls } = settings;
  const places = server
    ? await resolveConfiguredServer(names, server, directTls)
    : await resolveDomain(names, jid.domain);
  const { stream, place } = await connectToOne(places, jid.domain, settings, signal);
  try {
    const bound = await negotiate(stream, place, tlsPolicyFor(place, settings.requireTls), jid, user);
    return { stream, jid: bound };
  } catch (error) {
    stream.destroy(error);
    throw error;
  }
}

/** The first place that takes the connection; one after the other, because most domains have one. */
async function connectToOne(
  places: readonly XmppServerAddress[],
  domain: string,
  { requireTls }: LoginSettings,
  signal: AbortSignal,
): Promise<{ stream: XmlStream; place: XmppServerAddress }> {
  let fault: unknown = new NoServerFoundError(`no XMPP server is known for ${domain}`, {
    isUnknownDomain: true,
  });
  for (const place of places) {
    try {
      const stream = await connectToServer(
        place,
        domain,
        tlsPolicyFor(place, requireTls),
        CONNECT_MS,
        signal,
      );
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
  place: XmppServerAddress,
  safety: TlsPolicy,
  jid: Jid,
  user: SaslCredentials,
): Promise<string> {
  let features = await stream.open(jid.domain);
  let isSecret = place.usesDirectTls;
  if (!isSecret && features.getChild('starttls', TLS)) {
    features = await startTls(stream, jid.domain, safety);
    isSecret = true;
  }
  if (!isSecret && safety.isTlsRequired) throw new TlsUnavailableError('the server does not offer TLS');
  await authenticate(stream, features, user, isSecret || !safety.isTlsRequired);
  return bind(stream, await stream.open(jid.domain), jid.resource);
}

async function startTls(stream: XmlStream, domain: string, safety: TlsPolicy): Promise<Element> {
  stream.write(xml('starttls', TLS).toString());
  const answer = await stream.next();
  if (!answer.is('proceed', TLS)) throw new TlsUnavailableError('the server offers TLS and then refuses it');
  await stream.upgradeToTls(tlsOptions(domain, safety));
  return stream.open(domain);
}

async function bind(stream: XmlStream, features: Element, wished: string): Promise<string> {
  const resource = wished === '' ? `porter-${randomId().slice(0, 10)}` : wished;
  const answer = await ask(stream, xml('bind', BIND, xml('resource', {}, resource)));
  if (answer.attrs.type !== 'result') throw new BindError(answer);
  const jid = answer.getChild('bind', BIND)?.getChild('jid')?.getText();
  if (!jid) throw new BindError(answer);
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
