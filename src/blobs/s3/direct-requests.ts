import { createHash, createHmac } from 'node:crypto';
import { type Agent, type ClientRequest, type IncomingMessage, request as requestHttp } from 'node:http';
import { request as requestHttps, type Agent as SecureAgent } from 'node:https';
import { GetObjectCommand, type S3Client } from '@aws-sdk/client-s3';
import { getSignedUrl } from '@aws-sdk/s3-request-presigner';
import { SignatureV4 } from '@smithy/signature-v4';
import { withoutBrackets } from '../../base/addresses.ts';
import type { ByteRange } from '../contract.ts';

/** The agents of one client of the SDK. Direct requests use the same connections. */
export interface Agents {
  readonly httpAgent: Agent;
  readonly httpsAgent: SecureAgent;
}

interface Timeouts {
  readonly connectMs: number;
  /** Maximum time until the answer begins. */
  readonly responseMs: number;
}

interface PutOptions {
  readonly metadata?: Readonly<Record<string, string>>;
  /** `partNumber` and `uploadId` of a part. */
  readonly query?: Readonly<Record<string, string>>;
  readonly signal?: AbortSignal;
}

/**
 * Sends the first attempt of the two most frequent requests without the middleware of the SDK, which takes about 1 ms of processor
 * time for each. Resolves with undefined if the request did not succeed. The caller then repeats it with the SDK, which handles
 * the retries, redirects and errors of S3.
 */
export interface DirectRequests {
  put(key: string, body: Buffer, options?: PutOptions): Promise<{ readonly etag: string } | undefined>;
  /** Resolves with the answer, whose body has not been read. */
  get(key: string, bytes?: ByteRange): Promise<IncomingMessage | undefined>;
}

/** Bodies up to this many bytes are hashed for the signature. Hashing 8 MiB blocks the process for 20 ms. */
const MAX_HASHED_BYTES = 256 * 1024;

/** Returns the header that leaves a large body out of the signature. TLS already protects its bytes. */
export const hashHeader = (body: Buffer): Readonly<Record<string, string>> =>
  body.length > MAX_HASHED_BYTES ? { 'x-amz-content-sha256': 'UNSIGNED-PAYLOAD' } : {};

const NO_BODY = Buffer.alloc(0);

/** `client`: has the credentials, the region and the address of the bucket. `agents`: those of requests and of downloads. */
export function createDirectRequests(
  client: S3Client,
  bucket: string,
  agents: { readonly put: Agents; readonly get: Agents },
  timeouts: Timeouts,
): DirectRequests {
  const { credentials, region } = client.config;
  const signer = new SignatureV4({
    service: 's3',
    region,
    credentials,
    sha256: Sha256,
    uriEscapePath: false,
  });
  let address: Promise<URL> | undefined;

  /** Returns the URL of an object with an empty key. Asks the SDK for it once, because the SDK knows the hosts of all regions. */
  function bucketAddress(): Promise<URL> {
    address ??= findAddress(client, bucket).catch((error) => {
      // The next request asks again.
      address = undefined;
      throw error;
    });
    return address;
  }

  async function send(
    method: 'PUT' | 'GET',
    key: string,
    body: Buffer,
    {
      headers,
      query = {},
      signal,
    }: { headers: Record<string, string> } & Pick<PutOptions, 'query' | 'signal'>,
  ): Promise<IncomingMessage> {
    const { protocol, host, hostname, port, pathname } = await bucketAddress();
    const path = pathname + key.split('/').map(encodeSegment).join('/');
    const signed = await signer.sign({
      method,
      protocol,
      hostname,
      ...(port !== '' && { port: Number(port) }),
      path,
      query: { ...query },
      headers: { host, ...headers },
      body,
    });
    const search = Object.entries(query)
      .map(([name, value]) => `${name}=${encodeSegment(value)}`)
      .join('&');
    const { httpAgent, httpsAgent } = method === 'PUT' ? agents.put : agents.get;
    const isSecure = protocol === 'https:';
    const req = (isSecure ? requestHttps : requestHttp)({
      host: withoutBrackets(hostname),
      ...(port !== '' && { port }),
      method,
      path: search === '' ? path : `${path}?${search}`,
      headers: signed.headers,
      agent: isSecure ? httpsAgent : httpAgent,
      ...(signal && { signal }),
    });
    req.end(body);
    return await answerTo(req, timeouts);
  }

  return {
    async put(key, body, { metadata = {}, query, signal } = {}) {
      const headers: Record<string, string> = {
        'content-length': String(body.length),
        'content-type': 'application/octet-stream',
        ...hashHeader(body),
      };
      for (const [name, value] of Object.entries(metadata)) headers[`x-amz-meta-${name}`] = value;
      const answer = await orUndefined(
        send('PUT', key, body, { headers, ...(query && { query }), ...(signal && { signal }) }),
      );
      if (answer === undefined) return undefined;
      answer.resume();
      const { statusCode, headers: received } = answer;
      return statusCode === 200 ? { etag: received.etag ?? '' } : undefined;
    },

    async get(key, bytes) {
      const headers: Record<string, string> = bytes ? { range: `bytes=${bytes.start}-${bytes.end - 1}` } : {};
      const answer = await orUndefined(send('GET', key, NO_BODY, { headers }));
      if (answer === undefined || answer.statusCode === (bytes ? 206 : 200)) return answer;
      answer.resume();
      return undefined;
    },
  };
}

/** The hash class that the signer of the SDK needs. */
class Sha256 {
  readonly #hash;

  constructor(secret?: string | ArrayBuffer | ArrayBufferView) {
    this.#hash = secret === undefined ? createHash('sha256') : createHmac('sha256', toBytes(secret));
  }

  update(data: Uint8Array): void {
    this.#hash.update(data);
  }

  async digest(): Promise<Uint8Array> {
    return this.#hash.digest();
  }

  reset(): never {
    throw new Error('Each hash is used once.');
  }
}

function toBytes(secret: string | ArrayBuffer | ArrayBufferView): string | Uint8Array {
  if (typeof secret === 'string') return secret;
  return ArrayBuffer.isView(secret)
    ? new Uint8Array(secret.buffer, secret.byteOffset, secret.byteLength)
    : new Uint8Array(secret);
}

async function findAddress(client: S3Client, bucket: string): Promise<URL> {
  const url = new URL(await getSignedUrl(client, new GetObjectCommand({ Bucket: bucket, Key: 'key' })));
  url.pathname = url.pathname.slice(0, -'key'.length);
  return url;
}

/** RFC 3986: Signature Version 4 also encodes `!'()*`. */
const encodeSegment = (segment: string) =>
  encodeURIComponent(segment).replace(
    /[!'()*]/g,
    (char) => `%${char.charCodeAt(0).toString(16).toUpperCase()}`,
  );

/** Resolves with the head of the answer. Rejects if the connection fails or one of the times is over. */
function answerTo(req: ClientRequest, { connectMs, responseMs }: Timeouts): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    let timer: NodeJS.Timeout | undefined;
    const limit = (ms: number, problem: string) => {
      clearTimeout(timer);
      timer = setTimeout(() => req.destroy(new Error(`${problem} within ${ms / 1000} s.`)), ms);
    };
    limit(responseMs, 'S3 did not respond');
    req.on('socket', (socket) => {
      if (!socket.connecting) return;
      limit(connectMs, 'S3 did not accept a connection');
      socket.once('connect', () => limit(responseMs, 'S3 did not respond'));
    });
    req.on('response', (answer) => {
      clearTimeout(timer);
      // Destroying the body early emits an error that needs no handling.
      answer.on('error', () => {});
      resolve(answer);
    });
    req.on('error', (error) => {
      clearTimeout(timer);
      reject(error);
    });
  });
}

const orUndefined = <T>(work: Promise<T>): Promise<T | undefined> => work.catch(() => undefined);
