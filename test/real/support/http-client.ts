import {
  type ClientRequest,
  type IncomingHttpHeaders,
  type IncomingMessage,
  request as requestHttp,
} from 'node:http';
import { request as requestHttps } from 'node:https';

export interface HttpRequestOptions {
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string | number>>;
  readonly body?: string | Buffer;
  /** The certificate to believe, PEM. */
  readonly ca?: string;
  /** The address to come from: any of 127.0.0.0/8. */
  readonly localAddress?: string;
}

export interface HttpResponse {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: Buffer;
  readonly text: string;
}

/** Every host name is this machine. */
const toLoopback = ((_host: string, options: { all?: boolean }, done: (...found: unknown[]) => void) => {
  if (options.all) done(null, [{ address: '127.0.0.1', family: 4 }]);
  else done(null, '127.0.0.1', 4);
}) as NonNullable<Parameters<typeof requestHttp>[1]['lookup']>;

/** A request whose body the caller writes; the connection is its own. Host names lead to this machine. */
export function openRequest(
  url: string,
  { method = 'GET', headers = {}, ca, localAddress: from }: Omit<HttpRequestOptions, 'body'> = {},
): ClientRequest {
  const localAddress = from === undefined ? {} : { localAddress: from };
  const options = { method, headers, agent: false, lookup: toLoopback, ...localAddress } as const;
  const plain = url.startsWith('http:');
  return plain ? requestHttp(url, options) : requestHttps(url, { ...options, ca });
}

/** The answer to a request that the caller has opened. */
export function readResponse(request: ClientRequest): Promise<HttpResponse> {
  return new Promise((resolve, reject) => {
    request.on('error', reject);
    request.on('response', (response) => {
      readAll(response).then((body) => {
        const { statusCode = 0, headers } = response;
        resolve({ status: statusCode, headers, body, text: body.toString() });
      }, reject);
    });
  });
}

async function readAll(response: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of response) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks);
}

/** One request and its whole answer. */
export async function httpRequest(url: string, question: HttpRequestOptions = {}): Promise<HttpResponse> {
  const { body, headers = {} } = question;
  const length = body === undefined ? {} : { 'Content-Length': Buffer.byteLength(body) };
  const request = openRequest(url, { ...question, headers: { ...length, ...headers } });
  const answer = readResponse(request);
  request.end(body);
  return answer;
}
