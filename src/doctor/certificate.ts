import { connect, type DetailedPeerCertificate, type TLSSocket } from 'node:tls';
import { withoutBrackets } from '../base/addresses.ts';
import { formatTimestamp } from '../base/clock.ts';
import { formatCount } from '../base/units.ts';
import type { ProbeTarget } from './probe-client.ts';
import { type DoctorReport, shortErrorReason } from './report.ts';

/** Error codes of a TLS handshake with a server without TLS. */
const NO_TLS = /EPROTO|WRONG_VERSION|PACKET_LENGTH|ECONNRESET/;
const HANDSHAKE_TIMEOUT_MS = 10_000;
const DAY_MS = 86_400_000;
/** Days before the expiry. ACME clients renew certificates earlier. */
const RENEWAL_DAYS = 10;

/**
 * Checks that clients accept the certificate at an https address. Returns false if the server does not speak TLS;
 * rejects if there is no connection.
 */
export async function checkCertificate(
  report: DoctorReport,
  option: string,
  target: ProbeTarget,
  now: number,
): Promise<boolean> {
  const url = new URL(target.baseUrl);
  try {
    const socket = await openTlsConnection(url, target);
    const error = socket.authorizationError as unknown;
    const certificate = socket.getPeerCertificate(true);
    socket.destroy();
    const code = error ? shortErrorReason(error) : undefined;
    reportCertificate(report, `certificate of ${option}`, { host: url.hostname, code, certificate, now });
    return true;
  } catch (error) {
    if (!NO_TLS.test(shortErrorReason(error))) throw error;
    report.fail(
      `https of ${option}`,
      `${url.host} answers in plain http, but ${option} begins with https. Enable TLS in the web server. ` +
        'In nginx: listen … ssl.',
    );
    return false;
  }
}

function openTlsConnection(url: URL, { address, localAddress }: ProbeTarget): Promise<TLSSocket> {
  const name = withoutBrackets(url.hostname);
  return new Promise((resolve, reject) => {
    const socket = connect(
      {
        host: address?.address ?? name,
        port: Number(url.port || 443),
        // RFC 6066, section 3: SNI carries host names only, not IP addresses.
        ...(!/^[\d.]+$|:/.test(name) && { servername: name }),
        ...(localAddress !== undefined && { localAddress }),
        rejectUnauthorized: false,
        ALPNProtocols: ['http/1.1'],
      },
      () => resolve(socket),
    );
    socket.setTimeout(HANDSHAKE_TIMEOUT_MS, () => socket.destroy(new Error('no answer')));
    socket.on('error', reject);
  });
}

export interface PresentedCertificate {
  readonly host: string;
  /** The reason why Node rejects it; undefined if it is valid. */
  readonly code: string | undefined;
  readonly certificate: DetailedPeerCertificate;
  readonly now: number;
}

/** Formats a time as OpenSSL prints it, such as `Dec 30 12:09:41 2026 GMT`, like the other times of the doctor. */
export const certificateTime = (text: string): string => `${formatTimestamp(Date.parse(text))} UTC`;

/** Reports whether a certificate is valid, and a warning if it expires soon. `explain` returns the problem and its remedy. */
export function reportCertificate(
  report: Pick<DoctorReport, 'ok' | 'warn' | 'fail'>,
  check: string,
  presented: PresentedCertificate,
  explain = explainCertificateError,
): void {
  const { code, certificate, now } = presented;
  const leftMs = Date.parse(certificate.valid_to) - now;
  if (code !== undefined) report.fail(check, explain(code, presented));
  else if (leftMs < RENEWAL_DAYS * DAY_MS) {
    const days = Math.max(0, Math.floor(leftMs / DAY_MS));
    report.warn(
      check,
      `It expires in ${formatCount(days, 'day')} (${certificateTime(certificate.valid_to)}). Check that it is renewed.`,
    );
  } else report.ok(check, `It is valid until ${certificateTime(certificate.valid_to)}.`);
}

function explainCertificateError(code: string, { host, certificate }: PresentedCertificate): string {
  const names = namesIn(certificate);
  switch (code) {
    case 'CERT_HAS_EXPIRED':
      return `It expired on ${certificateTime(certificate.valid_to)}. Renew it, and reload the web server.`;
    case 'CERT_NOT_YET_VALID':
      return `It is valid only from ${certificateTime(certificate.valid_from)}. Check the clock of this machine.`;
    case 'ERR_TLS_CERT_ALTNAME_INVALID':
      return `It is not valid for ${host}, only for ${names}: clients reject it. Get one for ${host}.`;
    case 'DEPTH_ZERO_SELF_SIGNED_CERT':
    case 'SELF_SIGNED_CERT_IN_CHAIN':
      return 'It is self-signed: clients reject it. Get one that they trust, for example from Let’s Encrypt.';
    case 'UNABLE_TO_VERIFY_LEAF_SIGNATURE':
    case 'UNABLE_TO_GET_ISSUER_CERT':
    case 'UNABLE_TO_GET_ISSUER_CERT_LOCALLY':
      return (
        'Its chain is incomplete, or its issuer is not trusted: clients reject it. The web server must send the ' +
        'intermediate certificates too (fullchain.pem).'
      );
    default:
      return `Clients reject it: ${code}.`;
  }
}

/** Returns the names in a certificate, separated by commas. */
export function namesIn({ subjectaltname, subject }: DetailedPeerCertificate): string {
  return subjectaltname?.replace(/(?:DNS|IP Address):/g, '') ?? String(subject.CN);
}

/** Explains why a connection failed. `address` is host and port. */
export function explainConnectionError(reason: string, address: string): string {
  switch (reason) {
    case 'ECONNREFUSED':
      return `Nothing listens at ${address}. Check the port, and that the web server runs.`;
    case 'ENOTFOUND':
    case 'EAI_AGAIN':
      return `The name of ${address} cannot be resolved. Check DNS.`;
    case 'EHOSTUNREACH':
    case 'ENETUNREACH':
    case 'ETIMEDOUT':
      return (
        `${address} cannot be reached from this machine. Clients may still reach it if the router does not support ` +
        'connections from the inside to its public address (hairpin NAT).'
      );
    default:
      return `${address} cannot be reached: ${reason}.`;
  }
}
