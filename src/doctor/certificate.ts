import { connect, type DetailedPeerCertificate, type TLSSocket } from 'node:tls';
import type { ProbeTarget } from './probe-client.ts';
import { type DoctorReport, shortErrorReason } from './report.ts';

/** What comes of a handshake with somebody who does not know how. */
const NO_TLS = /EPROTO|WRONG_VERSION|PACKET_LENGTH|ECONNRESET/;
const HANDSHAKE_MS = 10_000;
const DAY = 86_400_000;
/** Whatever renews certificates does it well before. */
const SOON_DAYS = 10;

/**
 * Is the certificate at an https address one that clients take? False where something answers that does not speak
 * TLS; rejects where nothing does.
 */
export async function checkCertificate(
  notes: DoctorReport,
  option: string,
  way: ProbeTarget,
  now: number,
): Promise<boolean> {
  const url = new URL(way.baseUrl);
  try {
    const socket = await shakeHands(url, way);
    const fault = socket.authorizationError as unknown;
    const certificate = socket.getPeerCertificate(true);
    socket.destroy();
    judge(notes, `certificate of ${option}`, {
      host: url.hostname,
      code: fault && shortErrorReason(fault),
      certificate,
      now,
    });
    return true;
  } catch (error) {
    if (!NO_TLS.test(shortErrorReason(error))) throw error;
    const text = `${url.host} does not speak TLS: it takes plain http where https is meant. In nginx: listen … ssl.`;
    notes.fail(`https of ${option}`, text);
    return false;
  }
}

function shakeHands(url: URL, { address, localAddress: from }: ProbeTarget): Promise<TLSSocket> {
  const name = url.hostname.replace(/^\[|\]$/g, '');
  return new Promise((resolve, reject) => {
    const socket = connect(
      {
        host: address?.address ?? name,
        port: Number(url.port || 443),
        // An address is no name that TLS could ask for.
        ...(!/^[\d.]+$|:/.test(name) && { servername: name }),
        ...(from !== undefined && { localAddress: from }),
        rejectUnauthorized: false,
        ALPNProtocols: ['http/1.1'],
      },
      () => resolve(socket),
    );
    socket.setTimeout(HANDSHAKE_MS, () => socket.destroy(new Error('no answer')));
    socket.on('error', reject);
  });
}

interface Shown {
  readonly host: string;
  /** Why Node would not take it. */
  readonly code: unknown;
  readonly certificate: DetailedPeerCertificate;
  readonly now: number;
}

function judge(notes: DoctorReport, check: string, shown: Shown): void {
  const { certificate, now } = shown;
  const end = Date.parse(certificate.valid_to);
  if (shown.code) notes.fail(check, explain(String(shown.code), shown));
  else if (end - now < SOON_DAYS * DAY) {
    const days = Math.max(0, Math.floor((end - now) / DAY));
    notes.warn(check, `It runs out in ${days} days (${certificate.valid_to}). Is it being renewed?`);
  } else notes.ok(check, `Clients take it; it is good until ${certificate.valid_to}.`);
}

function explain(code: string, { host, certificate }: Shown): string {
  const names = certificate.subjectaltname?.replace(/(?:DNS|IP Address):/g, '') ?? certificate.subject.CN;
  switch (code) {
    case 'CERT_HAS_EXPIRED':
      return `It ran out on ${certificate.valid_to}: renew it, and reload the web server.`;
    case 'CERT_NOT_YET_VALID':
      return `It is valid only from ${certificate.valid_from}: is the clock of this machine right?`;
    case 'ERR_TLS_CERT_ALTNAME_INVALID':
      return `It is not for ${host}, but for ${names}: clients refuse it. Get one for ${host}.`;
    case 'DEPTH_ZERO_SELF_SIGNED_CERT':
    case 'SELF_SIGNED_CERT_IN_CHAIN':
      return 'It is self-signed: clients refuse it. Get one that they trust, for example from Let’s Encrypt.';
    case 'UNABLE_TO_VERIFY_LEAF_SIGNATURE':
    case 'UNABLE_TO_GET_ISSUER_CERT':
    case 'UNABLE_TO_GET_ISSUER_CERT_LOCALLY':
      return (
        'Its chain is incomplete, or nobody here trusts who made it: the web server must send the ' +
        'intermediate certificates too (fullchain.pem).'
      );
    default:
      return `Clients refuse it: ${code}.`;
  }
}

/** Why there was no connection at all. */
export function explainConnectionError(reason: string, place: string): string {
  switch (reason) {
    case 'ECONNREFUSED':
      return `Nothing listens at ${place}: is it the right port, and does the web server run?`;
    case 'ENOTFOUND':
    case 'EAI_AGAIN':
      return `The name of ${place} is not known here: is it in DNS?`;
    case 'EHOSTUNREACH':
    case 'ENETUNREACH':
    case 'ETIMEDOUT':
      return (
        `${place} cannot be reached from this machine. Clients may still reach it where a router does not let ` +
        'connections from inside come back in.'
      );
    default:
      return `${place} cannot be reached: ${reason}.`;
  }
}
