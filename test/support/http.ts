import {
  type Agent,
  type ClientRequest,
  type IncomingHttpHeaders,
  type RequestOptions,
  request as requestHttp,
} from 'node:http';
import { request as requestHttps } from 'node:https';
import { connect } from 'node:net';
import { buffer } from 'node:stream/consumers';

export interface HttpRequestOptions {
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string | number>>;
  readonly body?: string | Buffer;
  /** The trusted certificate, PEM. */
  readonly ca?: string;
  /** The source address of the connection: any of 127.0.0.0/8. */
  readonly localAddress?: string;
  /** Default: a new connection. */
  readonly agent?: Agent;
}

export interface HttpResponse {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: Buffer;
  /** The body, decoded as UTF-8. */
  readonly text: string;
}

/** Resolves every host name to 127.0.0.1. */
const toLoopback = ((_host: string, options: { all?: boolean }, done: (...found: unknown[]) => void) => {
  if (options.all) done(null, [{ address: '127.0.0.1', family: 4 }]);
  else done(null, '127.0.0.1', 4);
}) as NonNullable<RequestOptions['lookup']>;

/** Sends one request on a new connection and reads the whole response. Host names resolve to this machine. */
export async function httpRequest(url: string, options: HttpRequestOptions = {}): Promise<HttpResponse> {
  const { body, headers = {} } = options;
  const length = body === undefined ? {} : { 'Content-Length': Buffer.byteLength(body) };
  const request = openRequest(url, { ...options, headers: { ...length, ...headers } });
  const response = readResponse(request);
  request.end(body);
  return response;
}

/** Opens a request; the caller writes the body. Host names resolve to this machine. */
export function openRequest(
  url: string,
  { method = 'GET', headers = {}, ca, localAddress, agent }: Omit<HttpRequestOptions, 'body'> = {},
): ClientRequest {
  const source = localAddress === undefined ? {} : { localAddress };
  const options = { method, headers, agent: agent ?? false, lookup: toLoopback, ...source } as const;
  return url.startsWith('http:') ? requestHttp(url, options) : requestHttps(url, { ...options, ca });
}

/** Reads the response to a request that the caller has opened. */
export function readResponse(request: ClientRequest): Promise<HttpResponse> {
  return new Promise((resolve, reject) => {
    request.on('error', reject);
    request.on('response', (response) => {
      const { statusCode: status = 0, headers } = response;
      buffer(response).then((body) => resolve({ status, headers, body, text: body.toString() }), reject);
    });
  });
}

export interface TestRequest extends Omit<RequestOptions, 'host' | 'port'> {
  readonly body?: string | Buffer;
}

/**
 * Like `httpRequest`, for a target that no URL can express: `to` is `{ port, host }` or `{ socketPath }`, and `path` is
 * sent byte for byte.
 */
export async function sendRequest(
  to: RequestOptions,
  path: string,
  options: TestRequest = {},
): Promise<HttpResponse> {
  const { body, ...rest } = options;
  const request = requestHttp({ agent: false, ...to, path, ...rest });
  const response = readResponse(request);
  request.end(body);
  return response;
}

/** Sends raw bytes and returns everything that the server sends until it closes the connection. */
export function sendRawBytes(port: number, bytes: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect(port, '127.0.0.1', () => socket.write(bytes));
    let text = '';
    socket.setEncoding('utf8');
    socket.on('data', (chunk) => {
      text += chunk;
    });
    socket.on('error', reject);
    socket.on('end', () => resolve(text));
  });
}

/** Encodes a form as multipart/form-data, as browsers and curl send it. */
export async function encodeForm(
  fill: (form: FormData) => void,
): Promise<{ body: Buffer; headers: { 'Content-Type': string } }> {
  const form = new FormData();
  fill(form);
  const response = new Response(form);
  const body = Buffer.from(await response.arrayBuffer());
  return { body, headers: { 'Content-Type': response.headers.get('content-type') ?? '' } };
}
