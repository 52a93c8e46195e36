import { lookup } from 'node:dns/promises';
import { type ClientRequest, type IncomingHttpHeaders, type IncomingMessage, request } from 'node:http';
import { request as requestTls } from 'node:https';
import { isIPv6, type LookupFunction } from 'node:net';

/** One way to reach an HTTP server: a URL with its name looked up once, or a Unix socket. */
export interface ProbeTarget {
  /** Without a slash at its end. */
  readonly baseUrl: string;
  readonly address: { readonly address: string; readonly family: number } | undefined;
  /** The address of this machine that requests come from, where it could be chosen. */
  readonly localAddress: string | undefined;
  readonly socketPath?: string;
}

export interface ProbeRequest {
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string | number>>;
  readonly body?: Buffer;
}

export interface ProbeResponse {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: Buffer;
  /** The address of this machine that the request came from. */
  readonly localAddress: string | undefined;
}

/** Nothing at all for so long ends a question. */
const SILENCE_MS = 10_000;
/** Nobody answers a doctor with more than this. */
const MAX_BODY = 64 * 1024 * 1024;

/**
 * An address that nobody else uses: whoever sees it knows that it is ours and not that of a proxy on this machine.
 * Only Linux has all of 127.0.0.0/8.
 */
const LOOPBACK_OF_OURS = '127.86.43.21';

/** Looks the name up, once for all questions. Rejects where there is no such name. */
export async function resolveProbeTarget(baseUrl: string): Promise<ProbeTarget> {
  const { hostname } = new URL(baseUrl);
  const found = await lookup(hostname.replace(/^\[|\]$/g, ''), { all: true });
  const near = found.find(({ address }) => address.startsWith('127.'));
  const localAddress = near && process.platform === 'linux' ? LOOPBACK_OF_OURS : undefined;
  return { baseUrl, address: near ?? found[0], localAddress };
}

/** Opens a request whose body the caller writes. Certificates are looked at elsewhere: here all are taken. */
export function openProbe(
  { baseUrl, address, localAddress: from, socketPath }: ProbeTarget,
  path: string,
  question: ProbeRequest = {},
) {
  const { method = 'GET', headers = {} } = question;
  const found = address && { lookup: alwaysAt(address) };
  const options = {
    method,
    headers: { ...headers },
    agent: false,
    timeout: SILENCE_MS,
    ...found,
    ...(from !== undefined && { localAddress: from }),
    ...(socketPath !== undefined && { socketPath }),
  } as const;
  const opened = baseUrl.startsWith('https:')
    ? requestTls(`${baseUrl}${path}`, { ...options, rejectUnauthorized: false })
    : request(`${baseUrl}${path}`, options);
  opened.on('timeout', () => opened.destroy(new Error(`no answer within ${SILENCE_MS / 1000} s`)));
  return opened;
}

/** The whole answer to an opened request. */
export function readProbeResponse(opened: ClientRequest): Promise<ProbeResponse> {
  return new Promise((resolve, reject) => {
    opened.on('error', reject);
    opened.on('response', (response) => {
      const from = response.socket.localAddress;
      readAll(response).then((body) => {
        resolve({ status: response.statusCode ?? 0, headers: response.headers, body, localAddress: from });
      }, reject);
    });
  });
}

/** One question and its whole answer. */
export function sendProbe(
  way: ProbeTarget,
  path: string,
  question: ProbeRequest = {},
): Promise<ProbeResponse> {
  const { body } = question;
  const length = body && { 'Content-Length': body.length };
  const opened = openProbe(way, path, { ...question, headers: { ...length, ...question.headers } });
  const reply = readProbeResponse(opened);
  opened.end(body);
  return reply;
}

/** The path of a link of ours below the way's base. */
export function pathBelowTarget({ baseUrl }: ProbeTarget, link: string): string {
  return link.startsWith(baseUrl) ? link.slice(baseUrl.length) : new URL(link).pathname;
}

function alwaysAt({ address, family }: { address: string; family: number }): LookupFunction {
  return (_host, options, done) => {
    if (options.all) done(null, [{ address, family }]);
    else done(null, address, family);
  };
}

async function readAll(response: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of response) {
    size += (chunk as Buffer).length;
    if (size > MAX_BODY) throw new Error('the answer has no end');
    chunks.push(chunk as Buffer);
  }
  return Buffer.concat(chunks);
}

/** `127.0.0.1:5050`, `[::1]:5050`, with the scheme that TLS of our own asks for. */
export function formatLocalBaseUrl(host: string, port: number, tls: boolean): string {
  return `${tls ? 'https' : 'http'}://${isIPv6(host) ? `[${host}]` : host}:${port}`;
}
