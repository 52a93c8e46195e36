import { once } from 'node:events';
import { connect, isIP } from 'node:net';
import { type ConnectionOptions, connect as connectTls } from 'node:tls';
import { domainToASCII } from 'node:url';
import type { Place } from './places.ts';
import { XmlStream } from './xml-stream.ts';

/** How a stream to a place is kept from being read and forged. */
export interface Safety {
  /** No password goes over a stream without TLS. */
  readonly isTlsRequired: boolean;
  /** TLS is believed only with a certificate for the domain. */
  readonly isCertificateChecked: boolean;
}

/** A server of this machine may be trusted as it is; that is for the admin to say, who does by `require_tls: false`. */
export function safetyOf(place: Place, requireTls: boolean): Safety {
  const isTrusted = place.isLocal && !requireTls;
  return { isTlsRequired: !isTrusted, isCertificateChecked: !isTrusted };
}

/** The certificate has to be for the domain of the JID (RFC 6120 §13.7.2), wherever SRV records led. */
export function tlsOptions(domain: string, { isCertificateChecked }: Safety): ConnectionOptions {
  const host = domainToASCII(domain) || domain;
  return {
    host,
    ...(isIP(host) === 0 && { servername: host }),
    minVersion: 'TLSv1.2',
    rejectUnauthorized: isCertificateChecked,
  };
}

/** Connects to one place; rejects with what the system, or TLS, had against it. Whoever aborts it ends the stream too. */
export async function dial(
  place: Place,
  domain: string,
  safety: Safety,
  connectTimeout: number,
  signal: AbortSignal,
): Promise<XmlStream> {
  const where = { host: place.address, port: place.port };
  const socket = place.isDirect
    ? connectTls({ ...tlsOptions(domain, safety), ...where, ALPNProtocols: ['xmpp-client'] })
    : connect(where);
  const limit = AbortSignal.any([signal, AbortSignal.timeout(connectTimeout)]);
  try {
    await once(socket, place.isDirect ? 'secureConnect' : 'connect', { signal: limit });
  } catch (error) {
    socket.on('error', () => undefined).destroy();
    throw error;
  }
  const stream = new XmlStream(socket);
  const abort = () => stream.drop(signal.reason);
  if (signal.aborted) abort();
  signal.addEventListener('abort', abort, { once: true });
  void stream.ended.then(() => signal.removeEventListener('abort', abort));
  return stream;
}
