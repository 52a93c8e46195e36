import { createAddressMatcher, isLoopbackHost } from '../base/addresses.ts';
import type { Config } from '../config/load.ts';
import type { EchoedRequest } from '../http/files/echo-endpoint.ts';
import { putUrl } from '../uploads/links.ts';
import type { ProbeUploads } from '../uploads/probe-uploads.ts';
import { checkCertificate, explainConnectionError } from './certificate.ts';
import { type ProbeResponse, type ProbeTarget, resolveProbeTarget, sendProbe } from './probe-client.ts';
import { type DoctorReport, shortErrorReason } from './report.ts';

/** An address that clients use, and the option that has it. */
export interface PublicEndpoint {
  readonly option: 'public_url' | 'download_url' | '--url' | 'listen';
  readonly target: ProbeTarget;
}

/** Looks a URL up and at its certificate; undefined where nobody can be talked to there. */
export async function resolvePublicEndpoint(
  notes: DoctorReport,
  option: PublicEndpoint['option'],
  base: string,
  now: number,
): Promise<PublicEndpoint | undefined> {
  const url = new URL(base);
  try {
    const target = await resolveProbeTarget(base);
    if (url.protocol === 'http:') judgePlain(notes, option, url);
    else if (!(await checkCertificate(notes, option, target, now))) return undefined;
    return { option, target };
  } catch (fault) {
    notes.fail(option, explainConnectionError(shortErrorReason(fault), url.host));
    return undefined;
  }
}

function judgePlain(notes: DoctorReport, option: string, { hostname, host }: URL): void {
  if (isLoopbackHost(hostname)) return;
  notes.fail(
    `https of ${option}`,
    `${option} is http://${host}: clients refuse to send files in the clear. Use https.`,
  );
}

/** What the mirror is asked with; nobody has a reason to change it on the way. */
const TYPE = 'image/x-porter-doctor';
const AUTHORIZATION = 'Bearer porter-doctor';
const QUERY = 'v=porter-doctor';

/**
 * Sends a request through the front and hears from the running server how it arrived. Undefined where it did not
 * arrive there, with the reason noted.
 */
export async function requestEcho(
  notes: DoctorReport,
  front: PublicEndpoint,
  checkup: ProbeUploads,
): Promise<{ seen: EchoedRequest; from: string | undefined } | undefined> {
  const { token, name } = await checkup.requestSlot({ name: 'mirror.txt', size: 1, type: 'text/plain' });
  const check = `way to Porter (${front.option})`;
  try {
    const headers = { 'Content-Type': TYPE, Authorization: AUTHORIZATION };
    const reply = await sendProbe(front.target, `${putUrl('', token, name)}?${QUERY}`, { headers });
    const seen = readMirror(reply);
    if (seen) {
      notes.ok(check, `${front.target.baseUrl} leads to it.`);
      return { seen, from: reply.localAddress };
    }
    notes.fail(check, await explainStranger(front, reply));
  } catch (fault) {
    notes.fail(check, explainConnectionError(shortErrorReason(fault), new URL(front.target.baseUrl).host));
  }
  return undefined;
}

function readMirror({ status, body }: ProbeResponse): EchoedRequest | undefined {
  if (status !== 200) return undefined;
  try {
    const seen = JSON.parse(body.toString()) as Partial<EchoedRequest>;
    return typeof seen.protocol === 'string' && typeof seen.address === 'string'
      ? (seen as EchoedRequest)
      : undefined;
  } catch {
    return undefined;
  }
}

async function explainStranger(
  { option, target }: PublicEndpoint,
  { status, headers }: ProbeResponse,
): Promise<string> {
  const { protocol } = new URL(target.baseUrl);
  const { location } = headers;
  if (status >= 300 && status < 400 && location !== undefined) {
    if (protocol === 'http:' && location.startsWith('https:')) {
      return `The web server sends http on to https, and no client follows with an upload: ${option} must begin with https.`;
    }
    return `The web server sends requests on to ${location}: clients do not follow with an upload.`;
  }
  if (protocol === 'http:' && (await speaksTls(target))) {
    return `https is spoken at ${new URL(target.baseUrl).host}, but ${option} begins with http: write https.`;
  }
  if (status === 502 || status === 503 || status === 504) {
    return (
      `The web server answers ${status}: it does not reach Porter. What it passes requests on to (proxy_pass in ` +
      'nginx, ProxyPass in Apache, reverse_proxy in Caddy) must be the address in `listen`.'
    );
  }
  return (
    `Something answers at ${target.baseUrl} (status ${status}), but it is not this Porter. Does the web server pass on ` +
    'every path below it, /put/ and /files/ among them, is it the right port, and does Porter run with this config?'
  );
}

async function speaksTls(way: ProbeTarget): Promise<boolean> {
  const secure = { ...way, base: way.baseUrl.replace(/^http:/, 'https:') };
  return sendProbe(secure, '/').then(
    () => true,
    () => false,
  );
}

/** Holds what the server saw against what we sent. */
export function reportForwarding(
  notes: DoctorReport,
  config: Config,
  { option, target }: PublicEndpoint,
  { seen, from }: { seen: EchoedRequest; from: string | undefined },
): void {
  judgeType(notes, seen);
  judgeSignatures(notes, config, seen);
  judgeProtocol(notes, config, target, seen);
  judgeHost(notes, config, option, target, seen);
  if (isClientAddressHidden(seen, from)) notes.fail('X-Forwarded-For', explainHidden(config, seen.address));
  else notes.ok('X-Forwarded-For', 'Porter sees the addresses of clients.');
}

/** Does Porter take somebody else, such as the web server, for the client? */
export function isClientAddressHidden(seen: EchoedRequest, from: string | undefined): boolean {
  return from !== undefined && seen.address !== from.replace(/^::ffff:/, '');
}

function judgeType(notes: DoctorReport, { contentType }: EchoedRequest): void {
  if (contentType === TYPE) notes.ok('Content-Type', 'It comes through.');
  else {
    const what = contentType === null ? 'takes it away' : `makes ${contentType} of it`;
    notes.fail('Content-Type', `The web server ${what}: it must be passed on as clients send it.`);
  }
}

/** What signed links and tokens need. */
function judgeSignatures(notes: DoctorReport, config: Config, { query, authorization }: EchoedRequest): void {
  if (config.external) {
    if (query === QUERY) notes.ok('query', 'It comes through, and with it the signatures of links.');
    else
      notes.fail(
        'query',
        'The web server drops it, and with it the signatures of links: every upload is refused.',
      );
  }
  if (config.file_share || config.slot_api?.token || config.messages) {
    if (authorization === AUTHORIZATION) notes.ok('Authorization', 'It comes through.');
    else
      notes.fail(
        'Authorization',
        'The web server drops it, and with it tokens and passwords: whoever shows them is refused.',
      );
  }
}

const ADVICE: Readonly<Record<string, string>> = {
  proto: 'In nginx: proxy_set_header X-Forwarded-Proto $scheme;',
  host: 'In nginx: proxy_set_header Host $host; and X-Forwarded-Host $host;',
  for: 'In nginx: proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;',
};
const OR_TRUST = "The web server's address must also be among `trusted_proxies`.";

function judgeProtocol(
  notes: DoctorReport,
  config: Config,
  way: ProbeTarget,
  { protocol }: EchoedRequest,
): void {
  const meant = new URL(way.baseUrl).protocol.replace(':', '');
  if (protocol === meant) {
    notes.ok('X-Forwarded-Proto', `Porter knows that clients come by ${meant}.`);
    return;
  }
  const text = `Clients come by ${meant}, but Porter hears ${protocol}: the web server does not set it. ${ADVICE.proto} ${OR_TRUST}`;
  if (config.public_url === null)
    notes.fail('X-Forwarded-Proto', `Links would begin with ${protocol}. ${text}`);
  else notes.warn('X-Forwarded-Proto', `${text} Links are right all the same, because public_url is set.`);
}

function judgeHost(
  notes: DoctorReport,
  config: Config,
  option: string,
  way: ProbeTarget,
  { host }: EchoedRequest,
): void {
  const meant = new URL(way.baseUrl).host;
  if (config.public_url !== null || option === 'listen') return;
  if (host === meant) notes.ok('Host', `Porter knows that clients ask for ${meant}.`);
  else {
    const text = `Links would name ${host ?? 'no host'} instead of ${meant}: the web server does not pass the name on.`;
    notes.fail('Host', `${text} ${ADVICE.host} Or set public_url.`);
  }
}

function explainHidden(config: Config, address: string): string {
  const trusted = createAddressMatcher(config.trusted_proxies)(address);
  const why = trusted
    ? ADVICE.for
    : `If ${address} is the web server, put it into trusted_proxies. ${ADVICE.for}`;
  return `Porter takes ${address} for the client, whoever comes: allow_from lets in everybody or nobody. ${why}`;
}
