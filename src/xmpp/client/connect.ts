import { once } from 'node:events';
import { connect, isIP } from 'node:net';
import { type ConnectionOptions, connect as connectTls } from 'node:tls';
import { domainToASCII } from 'node:url';
import type { XmppServerAddress } from './server-addresses.ts';
import { XmlStream } from './xml-stream.ts';

/** How a stream to a place is kept from being read and forged. */
export interface TlsPolicy {
  /** No password goes over a stream without TLS. */
  readonly isTlsRequired: boolean;
  /** TLS is believed only with a certificate for the domain. */
  readonly isCertificateChecked: boolean;
}

/** A server of this machine may be trusted as it is; that is for the admin to say, who does by `require_tls: false`. */
export function tlsPolicyFor(place: XmppServerAddress, requireTls: boolean): TlsPolicy {
  const isTrusted = place.isLoopback && !requireTls;
  return { isTlsRequired: !isTrusted, isCertificateChecked: !isTrusted };
}

/** The certificate has to be for the domain of the JID (RFC 6120 §13.7.2), wherever SRV records led. */
export function tlsOptions(domain: string, { isCertificateChecked }: TlsPolicy): ConnectionOptions {
  const host = domainToASCII(domain) || domain;
  return {
    host,
    ...(isIP(host) === 0 && { servername: host }),
    minVersion: 'TLSv1.2',
    rejectUnauthorized: isCertificateChecked,
  };
}

/** Connects to one place; rejects with what the system, or TLS, had against it. Whoever aborts it ends the stream too. */
export async function connectToServer(
  place: XmppServerAddress,
  domain: string,
  safety: TlsPolicy,
  connectTimeout: number,
  signal: AbortSignal,
): Promise<XmlStream> {
  const where = { host: place.address, port: place.port };
  const socket = place.usesDirectTls
    ? connectTls({ ...tlsOptions(domain, safety), ...where, ALPNProtocols: ['xmpp-client'] })
    : connect(where);
  const limit = AbortSignal.any([signal, AbortSignal.timeout(connectTimeout)]);
  try {
    await once(socket, place.usesDirectTls ? 'secureConnect' : 'connect', { signal: limit });
  } catch (error) {
    socket.on('error', () => undefined).destroy();
    throw error;
  }
  const stream = new XmlStream(socket);
  const abort = () => stream.destroy(signal.reason);
  if (signal.aborted) abort();
  signal.addEventListener('abort', abort, { once: true });
  void stream.ended.then(() => signal.removeEventListener('abort', abort));
  return stream;
}
