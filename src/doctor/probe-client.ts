import { lookup } from 'node:dns/promises';
import { type ClientRequest, type IncomingHttpHeaders, type IncomingMessage, request } from 'node:http';
import { request as requestTls } from 'node:https';
import { isIPv6, type LookupFunction } from 'node:net';
import { withoutBrackets } from '../base/addresses.ts';
import { DOCTOR_HEADER } from '../http/common/doctor-requests.ts';

/** The address of an HTTP server: a base URL with its resolved IP address, or a Unix socket. */
export interface ProbeTarget {
  /** Without a slash at its end. */
  readonly baseUrl: string;
  /** Undefined for a Unix socket or an IP address in the URL. */
  readonly address: { readonly address: string; readonly family: number } | undefined;
  /** The source address of requests; undefined if the system chooses it. */
  readonly localAddress: string | undefined;
  readonly socketPath?: string;
  /** Identifies requests as tests of the doctor (`http/common/doctor-requests.ts`). */
  readonly doctorToken?: string;
}

export interface ProbeRequest {
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string | number>>;
  readonly body?: Buffer;
  /** Milliseconds without a byte after which the request fails. */
  readonly idleTimeoutMs?: number;
}

export interface ProbeResponse {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: Buffer;
  /** The source address of the request. */
  readonly localAddress: string | undefined;
}

const IDLE_TIMEOUT_MS = 10_000;
const MAX_BODY_BYTES = 64 * 1024 * 1024;

/**
 * Source address of the doctor for servers on the loopback interface. A reverse proxy on this machine never uses it, so
 * an echo with this address proves that Porter sees the client and not the proxy. Only Linux accepts all of 127.0.0.0/8.
 */
const DOCTOR_ADDRESS = '127.86.43.21';

/** Resolves the host name once for all requests. Rejects if the name is unknown. */
export async function resolveProbeTarget(baseUrl: string): Promise<ProbeTarget> {
  const { hostname } = new URL(baseUrl);
  const found = await lookup(withoutBrackets(hostname), { all: true });
  const loopback = found.find(({ address }) => address.startsWith('127.'));
  const localAddress = loopback && process.platform === 'linux' ? DOCTOR_ADDRESS : undefined;
  return { baseUrl, address: loopback ?? found[0], localAddress };
}

/** Opens a request; the caller writes its body. Accepts any certificate, because `certificate.ts` checks it. */
export function openProbe(
  { baseUrl, address, localAddress, socketPath, doctorToken }: ProbeTarget,
  path: string,
  { method = 'GET', headers = {}, idleTimeoutMs = IDLE_TIMEOUT_MS }: ProbeRequest = {},
): ClientRequest {
  const options = {
    method,
    headers: { ...headers, ...(doctorToken !== undefined && { [DOCTOR_HEADER]: doctorToken }) },
    agent: false,
    timeout: idleTimeoutMs,
    ...(address && { lookup: createFixedLookup(address) }),
    ...(localAddress !== undefined && { localAddress }),
    ...(socketPath !== undefined && { socketPath }),
  } as const;
  const opened = baseUrl.startsWith('https:')
    ? requestTls(`${baseUrl}${path}`, { ...options, rejectUnauthorized: false })
    : request(`${baseUrl}${path}`, options);
  opened.on('timeout', () => opened.destroy(new Error(`no answer within ${idleTimeoutMs / 1000} s`)));
  return opened;
}

/** Reads the whole response of an opened request. */
export function readProbeResponse(opened: ClientRequest): Promise<ProbeResponse> {
  return new Promise((resolve, reject) => {
    opened.on('error', reject);
    opened.on('response', (response) => {
      const { statusCode = 0, headers } = response;
      const { localAddress } = response.socket;
      readBody(response).then((body) => resolve({ status: statusCode, headers, body, localAddress }), reject);
    });
  });
}

/** Sends a request and reads the whole response. */
export function sendProbe(
  target: ProbeTarget,
  path: string,
  probe: ProbeRequest = {},
): Promise<ProbeResponse> {
  const { body } = probe;
  const length = body && { 'Content-Length': body.length };
  const opened = openProbe(target, path, { ...probe, headers: { ...length, ...probe.headers } });
  const response = readProbeResponse(opened);
  opened.end(body);
  return response;
}

/** Returns the path and query of a link below the target's base URL. */
export function pathBelowTarget({ baseUrl }: ProbeTarget, link: string): string {
  return link.startsWith(baseUrl) ? link.slice(baseUrl.length) : new URL(link).pathname;
}

/**
 * Formats a response as `403: You are not allowed to upload files to this service`: the status, and the body without its full stop if it
 * is one line of plain text.
 */
export function formatProbeResponse({ status, headers, body }: ProbeResponse): string {
  const text = body.toString().trim();
  const isOneLine = headers['content-type']?.startsWith('text/plain') && /^[^\r\n]{1,300}$/.test(text);
  return `${status}${isOneLine ? `: ${text.replace(/\.$/, '')}` : ''}`;
}

function createFixedLookup({ address, family }: { address: string; family: number }): LookupFunction {
  return (_host, options, done) => {
    if (options.all) done(null, [{ address, family }]);
    else done(null, address, family);
  };
}

async function readBody(response: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of response) {
    size += (chunk as Buffer).length;
    if (size > MAX_BODY_BYTES) throw new Error(`the response has more than ${MAX_BODY_BYTES} bytes`);
    chunks.push(chunk as Buffer);
  }
  return Buffer.concat(chunks);
}

/** Formats a base URL such as `http://127.0.0.1:5050` or `https://[::1]:5050`. */
export function formatLocalBaseUrl(host: string, port: number, tls: boolean): string {
  return `${tls ? 'https' : 'http'}://${isIPv6(host) ? `[${host}]` : host}:${port}`;
}
