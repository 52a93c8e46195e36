import { createAddressMatcher, isLoopbackHost } from '../base/addresses.ts';
import type { Config } from '../config/load.ts';
import type { EchoedRequest } from '../http/files/echo-endpoint.ts';
import { putUrl } from '../uploads/links.ts';
import type { ProbeUploads } from '../uploads/probe-uploads.ts';
import { checkCertificate, explainConnectionError } from './certificate.ts';
import { type ProbeResponse, type ProbeTarget, resolveProbeTarget, sendProbe } from './probe-client.ts';
import { type DoctorReport, shortErrorReason } from './report.ts';
import { describeSocketAccess } from './unix-socket.ts';

/** An address that clients use, and the option that sets it. */
export interface PublicEndpoint {
  readonly option: 'public_url' | 'download_url' | '--url' | 'listen';
  readonly target: ProbeTarget;
}

/** Resolves the host name and checks the certificate. Returns undefined if no connection is possible. */
export async function resolvePublicEndpoint(
  report: DoctorReport,
  option: PublicEndpoint['option'],
  baseUrl: string,
  now: number,
): Promise<PublicEndpoint | undefined> {
  const url = new URL(baseUrl);
  try {
    const target = await resolveProbeTarget(baseUrl);
    if (url.protocol === 'http:') reportPlainHttp(report, option, url);
    else if (!(await checkCertificate(report, option, target, now))) return undefined;
    return { option, target };
  } catch (error) {
    report.fail(option, explainConnectionError(shortErrorReason(error), url.host));
    return undefined;
  }
}

function reportPlainHttp(report: DoctorReport, option: string, { hostname, host }: URL): void {
  if (isLoopbackHost(hostname)) return;
  report.fail(
    `https of ${option}`,
    `${option} is http://${host}: clients refuse to upload without TLS. Use https.`,
  );
}

/** Values of the echo request, which a reverse proxy must not change. */
const CONTENT_TYPE = 'image/x-porter-doctor';
const AUTHORIZATION = 'Bearer porter-doctor';
const QUERY = 'v=porter-doctor';

/** A request as the server received it, and the source address that the doctor used for it. */
export interface ReceivedEcho {
  readonly echo: EchoedRequest;
  readonly sentFrom: string | undefined;
}

/**
 * Sends a request to the echo endpoint through the reverse proxy. The server answers with the request as it has received it. Reports
 * a failure and returns undefined if the request did not reach this server.
 */
export async function requestEcho(
  report: DoctorReport,
  { option, target }: PublicEndpoint,
  probeUploads: ProbeUploads,
  { listen }: Pick<Config, 'listen'>,
): Promise<ReceivedEcho | undefined> {
  const { token, name } = await probeUploads.requestSlot({ name: 'echo.txt', size: 1, type: 'text/plain' });
  const check = `route to Porter (${option})`;
  try {
    const headers = { 'Content-Type': CONTENT_TYPE, Authorization: AUTHORIZATION };
    const response = await sendProbe(target, `${putUrl('', token, name)}?${QUERY}`, { headers });
    const echo = parseEcho(response);
    if (echo) {
      report.ok(check, `Requests to ${target.baseUrl} reach this server.`);
      return { echo, sentFrom: response.localAddress };
    }
    report.fail(check, await explainOtherAnswer({ option, target }, response, listen));
  } catch (error) {
    report.fail(check, explainConnectionError(shortErrorReason(error), new URL(target.baseUrl).host));
  }
  return undefined;
}

function parseEcho({ status, body }: ProbeResponse): EchoedRequest | undefined {
  if (status !== 200) return undefined;
  try {
    const echo = JSON.parse(body.toString()) as Partial<EchoedRequest>;
    return typeof echo.protocol === 'string' && typeof echo.address === 'string'
      ? (echo as EchoedRequest)
      : undefined;
  } catch {
    return undefined;
  }
}

/** Explains an answer that did not come from this Porter. */
async function explainOtherAnswer(
  { option, target }: PublicEndpoint,
  { status, headers }: ProbeResponse,
  listen: Config['listen'],
): Promise<string> {
  const { protocol, host } = new URL(target.baseUrl);
  const { location } = headers;
  if (status >= 300 && status < 400 && location !== undefined) {
    if (protocol === 'http:' && location.startsWith('https:')) {
      return `The web server redirects http to https, and clients do not follow redirects of uploads. ${option} must begin with https.`;
    }
    return `The web server redirects requests to ${location}, and clients do not follow redirects of uploads. Set ${option} to the final address.`;
  }
  if (protocol === 'http:' && (await speaksTls(target))) {
    return `${host} speaks https, but ${option} begins with http. Change it to https.`;
  }
  if (status === 502 || status === 503 || status === 504) {
    const socket = listen.find((address) => 'path' in address);
    const access = socket === undefined ? '' : ` ${describeSocketAccess(socket.path)}`;
    return (
      `The web server answers with ${status}: it cannot reach Porter. Its upstream address (proxy_pass in nginx, ` +
      `ProxyPass in Apache, reverse_proxy in Caddy) must be the address in \`listen\`.${access}`
    );
  }
  return (
    `Another server answers at ${target.baseUrl} (status ${status}), not this Porter. Check that the web server forwards ` +
    'all paths below it, including /put/ and /files/; that the port is right; and that Porter runs with this config.'
  );
}

async function speaksTls(target: ProbeTarget): Promise<boolean> {
  const secure = { ...target, baseUrl: target.baseUrl.replace(/^http:/, 'https:') };
  return sendProbe(secure, '/').then(
    () => true,
    () => false,
  );
}

/** Compares the request as the server received it with the request that was sent. */
export function reportForwarding(
  report: DoctorReport,
  config: Config,
  { option, target }: PublicEndpoint,
  received: ReceivedEcho,
): void {
  const { echo } = received;
  reportContentType(report, echo);
  reportCredentials(report, config, echo);
  reportProtocol(report, config, target, echo);
  reportHost(report, config, option, target, echo);
  if (isClientAddressHidden(received)) {
    report.fail('X-Forwarded-For', explainHiddenAddress(config, echo.address));
  } else report.ok('X-Forwarded-For', 'Porter sees the addresses of clients.');
}

/** Returns true if Porter sees another address as the client, such as that of the web server. */
export function isClientAddressHidden({ echo, sentFrom }: ReceivedEcho): boolean {
  return sentFrom !== undefined && echo.address !== sentFrom.replace(/^::ffff:/, '');
}

function reportContentType(report: DoctorReport, { contentType }: EchoedRequest): void {
  if (contentType === CONTENT_TYPE) report.ok('Content-Type', 'It is forwarded.');
  else {
    const observation = contentType === null ? 'removes it' : `changes it to ${contentType}`;
    report.fail('Content-Type', `The web server ${observation}. It must forward the value of the client.`);
  }
}

/** Reports whether the query, which signed links need, and the Authorization header, which tokens and passwords need, are forwarded. */
function reportCredentials(
  report: DoctorReport,
  config: Config,
  { query, authorization }: EchoedRequest,
): void {
  if (config.external) {
    if (query === QUERY) report.ok('query', 'It is forwarded, and with it the signatures of links.');
    else {
      report.fail(
        'query',
        'The web server removes it, and with it the signatures of links: Porter refuses all uploads. Forward the query.',
      );
    }
  }
  if (config.file_share || config.slot_api?.token || config.messages) {
    if (authorization === AUTHORIZATION) report.ok('Authorization', 'It is forwarded.');
    else {
      report.fail(
        'Authorization',
        'The web server removes it, and with it tokens and passwords: Porter refuses their requests. Forward the header.',
      );
    }
  }
}

const NGINX_ADVICE = {
  proto: 'In nginx: proxy_set_header X-Forwarded-Proto $scheme;',
  host: 'In nginx: proxy_set_header Host $host; and X-Forwarded-Host $host;',
  for: 'In nginx: proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;',
} as const;
const TRUST_ADVICE = 'The address of the web server must also be in `trusted_proxies`.';

function reportProtocol(
  report: DoctorReport,
  config: Config,
  target: ProbeTarget,
  { protocol }: EchoedRequest,
): void {
  const expected = new URL(target.baseUrl).protocol.replace(':', '');
  if (protocol === expected) {
    report.ok('X-Forwarded-Proto', `Porter sees that clients use ${expected}.`);
    return;
  }
  const text = `Clients use ${expected}, but Porter sees ${protocol}: the web server does not set the header. ${NGINX_ADVICE.proto} ${TRUST_ADVICE}`;
  if (config.public_url === null) {
    report.fail('X-Forwarded-Proto', `Links would begin with ${protocol}. ${text}`);
  } else {
    report.warn('X-Forwarded-Proto', `${text} Links are correct nevertheless, because public_url is set.`);
  }
}

function reportHost(
  report: DoctorReport,
  config: Config,
  option: string,
  target: ProbeTarget,
  { host }: EchoedRequest,
): void {
  if (config.public_url !== null || option === 'listen') return;
  const expected = new URL(target.baseUrl).host;
  if (host === expected) report.ok('Host', `Porter sees the host name of the request, ${expected}.`);
  else {
    report.fail(
      'Host',
      `Links would have ${host ?? 'no host'} instead of ${expected}: the web server does not forward the host name. ` +
        `${NGINX_ADVICE.host} Or set public_url.`,
    );
  }
}

function explainHiddenAddress(config: Config, address: string): string {
  const isTrusted = createAddressMatcher(config.trusted_proxies)(address);
  const advice = isTrusted
    ? NGINX_ADVICE.for
    : `If ${address} is the web server, add it to trusted_proxies. ${NGINX_ADVICE.for}`;
  return `Porter sees ${address} as the address of all clients: allow_from would allow all of them or none. ${advice}`;
}
