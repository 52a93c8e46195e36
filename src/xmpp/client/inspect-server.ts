import { tlsPolicyFor } from './connect.ts';
import { connectToFirst, findAddresses, type LoginSettings, offersTls, startTls } from './login.ts';
import type { DnsResolver, XmppServerAddress } from './server-addresses.ts';
import type { PeerCertificate } from './xml-stream.ts';

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
