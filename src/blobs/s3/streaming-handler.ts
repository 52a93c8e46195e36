import * as http from 'node:http';
import * as https from 'node:https';
import { Readable } from 'node:stream';
import type { S3Client } from '@aws-sdk/client-s3';
import { withoutBrackets } from '../../base/addresses.ts';
import type { ChunkSource } from './chunk-source.ts';

type Handler = S3Client['config']['requestHandler'];
type Options = NonNullable<Parameters<Handler['handle']>[1]> & { abortSignal?: unknown };
type S3Request = Parameters<Handler['handle']>[0];
type Handled = Awaited<ReturnType<Handler['handle']>>;

interface Content {
  readonly source: ChunkSource;
  /** Bytes. */
  readonly length: number;
}

const contents = new WeakMap<object, Content>();

/** Makes `length` bytes of a source the body of a request. Only `createStreamingHandler` can send it. */
export function createStreamedBody(source: ChunkSource, length: number): Readable {
  const body = new Readable({ read() {} });
  contents.set(body, { source, length });
  return body;
}

const CONNECT_TIMEOUT_MS = 5_000;
/** Servers without support for `100 Continue` stay silent. They get the body after this time. */
const CONTINUE_TIMEOUT_MS = 1_000;

/**
 * Sends streamed bodies without copying them: asks for the next piece once the socket has accepted the previous one. Each
 * request opens a new connection, because a body cannot be sent again if an idle connection turns out to be closed.
 * `timeoutMs`: how long the server may accept no bytes, or send no response.
 */
export function createStreamingHandler(timeoutMs: number): Handler {
  return {
    metadata: { handlerProtocol: 'http/1.1' },
    handle: (request, { abortSignal }: Options = {}) => send(request, timeoutMs, abortSignal as AbortSignal),
    destroy() {},
    updateHttpClientConfig() {},
    httpHandlerConfigs: () => ({}),
  };
}

async function send(
  request: S3Request,
  timeoutMs: number,
  signal: AbortSignal | undefined,
): Promise<Handled> {
  const content = contents.get(request.body as object);
  if (!content) throw new Error('Only a body of createStreamedBody() can be sent here.');
  const req = open(request, signal);
  const exchange = createExchange(req, timeoutMs);
  try {
    await sendBody(content, exchange);
    return { response: toSdkResponse(await exchange.answer()) } as Handled;
  } catch (failure) {
    req.destroy();
    throw failure;
  }
}

function open(
  { protocol, hostname, port, method, path, query, headers }: S3Request,
  signal: AbortSignal | undefined,
) {
  const parameters = Object.entries(query ?? {}).map(
    ([name, value]) => `${encodeURIComponent(name)}=${encodeURIComponent(String(value ?? ''))}`,
  );
  const { request: start } = protocol === 'https:' ? https : http;
  return start({
    host: withoutBrackets(hostname),
    port,
    method,
    path: parameters.length > 0 ? `${path}?${parameters.join('&')}` : path,
    // Lets the server refuse before the body, instead of breaking the connection during it.
    headers: { ...headers, Expect: '100-continue' },
    agent: false,
    ...(signal && { signal }),
  });
}

/** Sends the body. Stops if the response comes early, which means that the server refused the request. */
async function sendBody({ source, length }: Content, exchange: Exchange): Promise<void> {
  await exchange.waitForContinue();
  for (let left = length; left > 0; ) {
    if (exchange.isAnswered()) return;
    const piece = await exchange.orResponse(source.next(left));
    if (piece === RESPONDED) return;
    if (piece === undefined) throw new Error('The body ended before its declared size.');
    await exchange.write(piece);
    left -= piece.length;
  }
  exchange.end();
}

const RESPONDED: unique symbol = Symbol('responded');

type Exchange = ReturnType<typeof createExchange>;

/** One request while it is sent. Every wait ends once the request fails or its response arrives. */
function createExchange(req: http.ClientRequest, timeoutMs: number) {
  const answered = Promise.withResolvers<http.IncomingMessage>();
  let isAnswered = false;
  req.on('response', (response) => {
    isAnswered = true;
    answered.resolve(response);
  });
  req.on('error', (error) => answered.reject(error));
  const responded = answered.promise.then((): typeof RESPONDED => RESPONDED);
  responded.catch(() => undefined);
  const orResponse = <T>(work: Promise<T>) => Promise.race([work, responded]);

  async function within<T>(ms: number, work: Promise<T>): Promise<T> {
    const onTimeout = () => req.destroy(new Error(`S3 did not respond for ${ms / 1000} s.`));
    const timer = setTimeout(onTimeout, ms);
    try {
      return await work;
    } finally {
      clearTimeout(timer);
    }
  }

  async function waitForContinue(): Promise<void> {
    await within(CONNECT_TIMEOUT_MS, orResponse(connected(req)));
    const continued = Promise.withResolvers<void>();
    const timer = setTimeout(continued.resolve, CONTINUE_TIMEOUT_MS);
    req.once('continue', continued.resolve);
    await orResponse(continued.promise).finally(() => clearTimeout(timer));
  }

  return {
    waitForContinue,
    orResponse,
    isAnswered: () => isAnswered,
    async write(piece: Uint8Array): Promise<void> {
      // Errors are reported by the `error` event, which has more details than this callback.
      const taken = new Promise<void>((resolve) => req.write(piece, () => resolve()));
      await within(timeoutMs, orResponse(taken));
    },
    end: () => void req.end(),
    answer: () => within(timeoutMs, answered.promise),
  };
}

function connected(req: http.ClientRequest): Promise<void> {
  return new Promise((resolve) => {
    req.once('socket', (socket) => {
      if (socket.connecting) socket.once('connect', resolve);
      else resolve();
    });
  });
}

function toSdkResponse(message: http.IncomingMessage) {
  const headers = Object.entries(message.headers).map(([name, value]) => [name, String(value)]);
  return { statusCode: message.statusCode ?? 0, headers: Object.fromEntries(headers), body: message };
}
