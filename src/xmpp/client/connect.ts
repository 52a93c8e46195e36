import { once } from 'node:events';
import { connect, isIP } from 'node:net';
import { type ConnectionOptions, connect as connectTls } from 'node:tls';
import { domainToASCII } from 'node:url';
import type { XmppServerAddress } from './server-addresses.ts';
import { XmlStream } from './xml-stream.ts';

export interface TlsPolicy {
  /** True if no password may be sent without TLS. */
  readonly isTlsRequired: boolean;
  /** True if TLS needs a trusted certificate for the domain. */
  readonly isCertificateChecked: boolean;
}

/** TLS is optional only on the loopback interface, and only if the config says `require_tls: false`. */
export function tlsPolicyFor(address: XmppServerAddress, requireTls: boolean): TlsPolicy {
  const isTrusted = address.isLoopback && !requireTls;
  return { isTlsRequired: !isTrusted, isCertificateChecked: !isTrusted };
}

/** The certificate must be for the domain of the JID, also if an SRV record led to another host (RFC 6120 §13.7.2). */
export function tlsOptions(domain: string, { isCertificateChecked }: TlsPolicy): ConnectionOptions {
  const host = domainToASCII(domain) || domain;
  return {
    host,
    ...(isIP(host) === 0 && { servername: host }),
    minVersion: 'TLSv1.2',
    rejectUnauthorized: isCertificateChecked,
  };
}

/**
 * Connects to one address, with direct TLS if it uses that. Rejects with the system or TLS error. The signal also ends the
 * stream after it is connected.
 */
export async function connectToServer(
  { address, port, usesDirectTls }: XmppServerAddress,
  domain: string,
  policy: TlsPolicy,
  timeoutMs: number,
  signal: AbortSignal,
): Promise<XmlStream> {
  const target = { host: address, port };
  const socket = usesDirectTls
    ? connectTls({ ...tlsOptions(domain, policy), ...target, ALPNProtocols: ['xmpp-client'] })
    : connect(target);
  const abortOrTimeout = AbortSignal.any([signal, AbortSignal.timeout(timeoutMs)]);
  try {
    await once(socket, usesDirectTls ? 'secureConnect' : 'connect', { signal: abortOrTimeout });
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
