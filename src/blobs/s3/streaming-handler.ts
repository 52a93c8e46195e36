import * as http from 'node:http';
import * as https from 'node:https';
import { Readable } from 'node:stream';
import type { S3Client } from '@aws-sdk/client-s3';
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

/** `length` bytes of a source as the body of a request that `createStreamingHandler` sends. */
export function createStreamedBody(source: ChunkSource, length: number): Readable {
  const body = new Readable({ read() {} });
  contents.set(body, { source, length });
  return body;
}

const CONNECT_WITHIN = 5_000;
/** A server that does not know `100 Continue` says nothing, and gets the bytes after so many milliseconds. */
const INVITED_WITHIN = 1_000;

/**
 * Sends bodies as they come, without copying them: the next piece is asked for when the socket has taken the one
 * before. Each request has a connection of its own, because what has flowed cannot be sent again where the server has just
 * closed an idle one. `patience`: milliseconds for which the server may take nothing, or not answer.
 */
export function createStreamingHandler(patience: number): Handler {
  return {
    metadata: { handlerProtocol: 'http/1.1' },
    handle: (request, { abortSignal }: Options = {}) => send(request, patience, abortSignal as AbortSignal),
    destroy() {},
    updateHttpClientConfig() {},
    httpHandlerConfigs: () => ({}),
  };
}

async function send(request: S3Request, patience: number, signal: AbortSignal | undefined): Promise<Handled> {
  const content = contents.get(request.body as object);
  if (!content) throw new Error('Only bodies of streamedBody() are sent here.');
  const req = open(request, signal);
  const wire = createWire(req, patience);
  try {
    await pour(content, wire);
    return { response: responseOf(await wire.answer()) } as Handled;
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
    host: hostname.replace(/^\[|\]$/g, ''),
    port,
    method,
    path: parameters.length > 0 ? `${path}?${parameters.join('&')}` : path,
    // A refusal comes before the bytes, and not as a connection that breaks under them.
    headers: { ...headers, Expect: '100-continue' },
    agent: false,
    ...(signal && { signal }),
  });
}

/** An answer that comes early is a refusal: nothing more is sent. */
async function pour({ source, length }: Content, wire: Wire): Promise<void> {
  await wire.invited();
  for (let left = length; left > 0; ) {
    if (wire.isAnswered()) return;
    const piece = await wire.unlessOver(source.next(left));
    if (piece === OVER) return;
    if (piece === undefined) throw new Error('The source has ended before its time.');
    await wire.write(piece);
    left -= piece.length;
  }
  wire.end();
}

const OVER: unique symbol = Symbol('over');

type Wire = ReturnType<typeof createWire>;

/** One request as it is sent; whatever it waits for ends when the request fails or is answered. */
function createWire(req: http.ClientRequest, patience: number) {
  const answered = Promise.withResolvers<http.IncomingMessage>();
  let isAnswered = false;
  req.on('response', (response) => {
    isAnswered = true;
    answered.resolve(response);
  });
  req.on('error', (error) => answered.reject(error));
  const over = answered.promise.then((): typeof OVER => OVER);
  over.catch(() => undefined);
  const unlessOver = <T>(work: Promise<T>) => Promise.race([work, over]);

  async function within<T>(ms: number, work: Promise<T>): Promise<T> {
    const late = () => req.destroy(new Error(`S3 did not move for ${ms / 1000} s.`));
    const timer = setTimeout(late, ms);
    try {
      return await work;
    } finally {
      clearTimeout(timer);
    }
  }

  async function invited(): Promise<void> {
    await within(CONNECT_WITHIN, unlessOver(connected(req)));
    const uninvited = Promise.withResolvers<void>();
    const timer = setTimeout(uninvited.resolve, INVITED_WITHIN);
    req.once('continue', uninvited.resolve);
    await unlessOver(uninvited.promise).finally(() => clearTimeout(timer));
  }

  return {
    invited,
    unlessOver,
    isAnswered: () => isAnswered,
    async write(piece: Uint8Array): Promise<void> {
      // A failure comes by `error`, which knows more than the write does.
      const taken = new Promise<void>((resolve) => req.write(piece, () => resolve()));
      await within(patience, unlessOver(taken));
    },
    end: () => void req.end(),
    answer: () => within(patience, answered.promise),
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

function responseOf(message: http.IncomingMessage) {
  const headers = Object.entries(message.headers).map(([name, value]) => [name, String(value)]);
  return { statusCode: message.statusCode ?? 0, headers: Object.fromEntries(headers), body: message };
}
