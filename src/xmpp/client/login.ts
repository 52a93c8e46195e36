import xml, { type Element } from '@xmpp/xml';
import { raceAbort } from '../../base/async.ts';
import { randomId } from '../../base/ids.ts';
import type { Jid } from '../../base/jid.ts';
import { connectToServer, type TlsPolicy, tlsOptions, tlsPolicyFor } from './connect.ts';
import { authenticate, preparePassword, type SaslCredentials, SaslError } from './sasl.ts';
import { type BoundResource, readBoundResource, readSasl2Offer } from './sasl2.ts';
import {
  type DnsResolver,
  NoServerFoundError,
  resolveConfiguredServer,
  resolveDomain,
  type XmppServerAddress,
} from './server-addresses.ts';
import { enableAcks } from './stream-management.ts';
import type { PeerCertificate, XmlStream } from './xml-stream.ts';

/** The part of `messages` in the config that concerns logins. */
export interface LoginSettings {
  /** Null = found by the domain of the account. */
  readonly server: { readonly host: string; readonly port: number } | null;
  /** `server` uses TLS from the first byte (XEP-0368). */
  readonly directTls: boolean;
  readonly requireTls: boolean;
  /** Milliseconds for the whole login. */
  readonly answerTimeout: number;
}

/** The stream of an account after its login. */
export interface BoundStream extends BoundResource {
  readonly stream: XmlStream;
  /** Bytes of the largest stanza that the server accepts (XEP-0478); null if it has not announced a limit. */
  readonly maxStanzaBytes: number | null;
}

/** The server does not offer TLS, and the password is not sent without it. */
export class TlsUnavailableError extends Error {}

/** The server accepted the password but refused the resource (RFC 6120 §7.6.2). */
export class BindError extends Error {
  readonly condition: string;

  constructor(answer: Element) {
    const [error] = answer.getChild('error')?.getChildElements() ?? [];
    super('the server refuses the resource');
    this.condition = error?.getName() ?? 'undefined-condition';
  }
}

/** The login took longer than `answerTimeout`. */
export class LoginTimeoutError extends Error {}

const TLS = 'urn:ietf:params:xml:ns:xmpp-tls';
const BIND = 'urn:ietf:params:xml:ns:xmpp-bind';
const SESSION = 'urn:ietf:params:xml:ns:xmpp-session';
const STREAM_LIMITS = 'urn:xmpp:stream-limits:0';
/** Bytes. Every server must accept stanzas of this size (RFC 6120 §13.12). */
const MIN_STANZA_LIMIT = 10_000;
const CONNECT_TIMEOUT_MS = 5_000;

/** Logs an account in (RFC 6120 §4 to §7, or XEP-0388 if the server offers it). `login-errors.ts` maps the errors to refusals. */
export async function logIn(
  dns: DnsResolver,
  settings: LoginSettings,
  jid: Jid,
  password: string,
): Promise<BoundStream> {
  const prepared = preparePassword(password);
  if (prepared === undefined || password.includes('\0')) throw new SaslError('not-authorized');
  const credentials = { name: jid.local, password: prepared, rawPassword: password };
  const timeout = new AbortController();
  const timer = setTimeout(
    () => timeout.abort(new LoginTimeoutError('no answer in time')),
    settings.answerTimeout,
  );
  try {
    return await raceAbort(openBoundStream(dns, settings, jid, credentials, timeout.signal), timeout.signal);
  } finally {
    clearTimeout(timer);
  }
}

async function openBoundStream(
  dns: DnsResolver,
  settings: LoginSettings,
  jid: Jid,
  credentials: SaslCredentials,
  signal: AbortSignal,
): Promise<BoundStream> {
  const { requireTls } = settings;
  const addresses = await findAddresses(dns, settings, jid.domain);
  const policyFor = (address: XmppServerAddress) => tlsPolicyFor(address, requireTls);
  const { stream, address } = await connectToFirst(addresses, jid.domain, policyFor, signal);
  try {
    const bound = await negotiate(stream, address, policyFor(address), jid, credentials);
    return { stream, ...bound };
  } catch (error) {
    stream.destroy(error);
    throw error;
  }
}

/** Returns the addresses of `messages.server`, or those that DNS names. */
async function findAddresses(
  dns: DnsResolver,
  { server, directTls }: Pick<LoginSettings, 'server' | 'directTls'>,
  domain: string,
): Promise<readonly XmppServerAddress[]> {
  return server ? await resolveConfiguredServer(dns, server, directTls) : await resolveDomain(dns, domain);
}

/** Connects to the first reachable address. Tries them one after the other, because most domains have one server. */
async function connectToFirst(
  addresses: readonly XmppServerAddress[],
  domain: string,
  policyFor: (address: XmppServerAddress) => TlsPolicy,
  signal: AbortSignal,
): Promise<{ stream: XmlStream; address: XmppServerAddress }> {
  let lastError: unknown = new NoServerFoundError(`no XMPP server is known for ${domain}`, {
    isUnknownDomain: true,
  });
  for (const address of addresses) {
    try {
      const stream = await connectToServer(address, domain, policyFor(address), CONNECT_TIMEOUT_MS, signal);
      return { stream, address };
    } catch (error) {
      signal.throwIfAborted();
      lastError = error;
    }
  }
  throw lastError;
}

/** Starts TLS, authenticates and binds a resource. */
async function negotiate(
  stream: XmlStream,
  address: XmppServerAddress,
  policy: TlsPolicy,
  jid: Jid,
  credentials: SaslCredentials,
): Promise<Omit<BoundStream, 'stream'>> {
  let features = await stream.open(jid.domain);
  let isEncrypted = address.usesDirectTls;
  if (!isEncrypted && offersTls(features)) {
    features = await startTls(stream, jid.domain, policy);
    isEncrypted = true;
  }
  if (!isEncrypted && policy.isTlsRequired) throw new TlsUnavailableError('the server does not offer TLS');
  const isPlainAllowed = isEncrypted || !policy.isTlsRequired;
  const offer = isEncrypted ? readSasl2Offer(features) : undefined;
  if (offer !== undefined) {
    // The server chooses the resource that it binds with the login.
    const profile = offer.createProfile({ bind: offer.hasBind && jid.resource === '' });
    const success = await authenticate(stream, features, credentials, isPlainAllowed, profile);
    features = await stream.nextFeatures();
    const bound = readBoundResource(success);
    if (bound !== undefined) return { ...bound, maxStanzaBytes: announcedStanzaLimit(features) };
  } else {
    await authenticate(stream, features, credentials, isPlainAllowed);
    features = await stream.open(jid.domain);
  }
  const boundJid = await bind(stream, features, jid.resource);
  const hasAcks = await enableAcks(stream, features);
  return { jid: boundJid, hasAcks, maxStanzaBytes: announcedStanzaLimit(features) };
}

function announcedStanzaLimit(features: Element): number | null {
  const text = features.getChild('limits', STREAM_LIMITS)?.getChild('max-bytes')?.getText() ?? '';
  return /^\d{1,15}$/.test(text) ? Math.max(Number(text), MIN_STANZA_LIMIT) : null;
}

function offersTls(features: Element): boolean {
  return features.getChild('starttls', TLS) !== undefined;
}

/** Starts TLS, and returns the features of the new stream. */
async function startTls(stream: XmlStream, domain: string, policy: TlsPolicy): Promise<Element> {
  stream.write(xml('starttls', TLS).toString());
  const answer = await stream.next();
  if (!answer.is('proceed', TLS))
    throw new TlsUnavailableError('the server offers TLS but refuses to start it');
  await stream.upgradeToTls(tlsOptions(domain, policy));
  return stream.open(domain);
}

async function bind(stream: XmlStream, features: Element, requestedResource: string): Promise<string> {
  const resource = requestedResource === '' ? `porter-${randomId().slice(0, 10)}` : requestedResource;
  const answer = await setIq(stream, xml('bind', BIND, xml('resource', {}, resource)));
  if (answer.attrs.type !== 'result') throw new BindError(answer);
  const jid = answer.getChild('bind', BIND)?.getChild('jid')?.getText();
  if (!jid) throw new BindError(answer);
  // Servers of RFC 3921 require this request; newer ones mark it as optional or do not offer it.
  const session = features.getChild('session', SESSION);
  if (session && !session.getChild('optional')) await setIq(stream, xml('session', SESSION));
  return jid;
}

async function setIq(stream: XmlStream, payload: Element): Promise<Element> {
  const id = randomId();
  stream.write(xml('iq', { type: 'set', id }, payload).toString());
  for (;;) {
    const answer = await stream.next();
    if (answer.name === 'iq' && answer.attrs.id === id) return answer;
  }
}

/** The XMPP server of a domain, as a login would reach it. */
export interface InspectedServer {
  readonly address: XmppServerAddress;
  /** Whether a login needs a valid certificate. */
  readonly isCertificateChecked: boolean;
  /** Undefined if the server offers no TLS. */
  readonly peer: PeerCertificate | undefined;
}

/**
 * Connects as a login does and starts TLS with any certificate, so that an invalid one can be described. Sends no password. Rejects
 * with the errors of `logIn`.
 */
export async function inspectServer(
  dns: DnsResolver,
  settings: LoginSettings,
  domain: string,
): Promise<InspectedServer> {
  const signal = AbortSignal.timeout(settings.answerTimeout);
  const addresses = await findAddresses(dns, settings, domain);
  const acceptAny = { isTlsRequired: true, isCertificateChecked: false };
  const { stream, address } = await connectToFirst(addresses, domain, () => acceptAny, signal);
  try {
    const features = await stream.open(domain);
    if (!address.usesDirectTls && offersTls(features)) await startTls(stream, domain, acceptAny);
    const { isCertificateChecked } = tlsPolicyFor(address, settings.requireTls);
    return { address, isCertificateChecked, peer: stream.peerCertificate };
  } finally {
    stream.destroy(new Error('inspected'));
  }
}
