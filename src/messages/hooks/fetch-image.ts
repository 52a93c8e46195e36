import type { LookupAddress } from 'node:dns';
import { lookup } from 'node:dns/promises';
import { request as askHttp, type ClientRequest, type IncomingMessage, type RequestOptions } from 'node:http';
import { request as askHttps } from 'node:https';
import { getNetworkScope } from '../../base/network-scope.ts';
import { blobExtension, mediaTypesForName } from '../../policy/guess-media-type.ts';
import { mediaTypeEssence } from '../../policy/media-type.ts';
import {
  type AddressTrust,
  ImageError,
  isAddressAllowed,
  isIpLiteral,
  matchImageHost,
} from './image-hosts.ts';

export interface ImageRequest {
  readonly url: string;
  /** `images_from` of the hook. */
  readonly hosts: readonly string[];
  /** Bytes. */
  readonly maxSize: number;
  readonly signal: AbortSignal;
}

export interface FetchedImage {
  readonly bytes: Buffer;
  readonly type: string;
  readonly name: string;
}

const MAX_REDIRECTS = 3;

/** Fetches a picture from a host of the list; an `ImageError` says why not. Each redirect is looked at like the first. */
export async function fetchImage({ url, hosts, maxSize, signal }: ImageRequest): Promise<FetchedImage> {
  let place = urlOf(url);
  for (let redirects = 0; redirects <= MAX_REDIRECTS; redirects += 1) {
    const response = await ask(place, matchImageHost(place, hosts), signal);
    const { location } = response.headers;
    if (!isRedirect(response) || location === undefined) return await read(response, place, maxSize);
    response.destroy();
    place = urlOf(location, place);
  }
  throw new ImageError('too many redirects');
}

function urlOf(text: string, base?: URL): URL {
  if (!URL.canParse(text, base?.href)) throw new ImageError('that is no URL');
  return new URL(text, base);
}

function isRedirect({ statusCode = 0 }: IncomingMessage): boolean {
  return [301, 302, 303, 307, 308].includes(statusCode);
}

/** Asks the addresses that were looked at and no others: a second look-up could give other ones (DNS rebinding). */
async function ask(url: URL, trust: AddressTrust, signal: AbortSignal): Promise<IncomingMessage> {
  const addresses = isIpLiteral(url.hostname) ? [] : await addressesOf(url.hostname, trust, signal);
  if (
    addresses.length === 0 &&
    !isAddressAllowed(trust, getNetworkScope(url.hostname.replace(/^\[|\]$/g, '')))
  ) {
    throw new ImageError(`${url.hostname} is no address to fetch from`);
  }
  const options: RequestOptions = {
    agent: false,
    signal,
    headers: { Accept: 'image/*', 'Accept-Encoding': 'identity', 'User-Agent': 'Porter' },
    lookup: (_host, { all }, done) => {
      const [first] = addresses;
      if (all || !first) done(null, addresses);
      else done(null, first.address, first.family);
    },
  };
  const request = url.protocol === 'https:' ? askHttps(url, options) : askHttp(url, options);
  return await responseOf(request);
}

function responseOf(request: ClientRequest): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    request.on('response', resolve);
    request.on('error', (error) => reject(new ImageError(`it cannot be fetched: ${error.message}`)));
    request.end();
  });
}

/** All addresses of a host; one that may not be reached spoils the rest, because it should not be among them. */
async function addressesOf(host: string, trust: AddressTrust, signal: AbortSignal): Promise<LookupAddress[]> {
  const addresses = await endWith(signal, lookup(host, { all: true })).catch((error: Error) => {
    throw new ImageError(`its host is not found: ${error.message}`);
  });
  const forbidden = addresses.find(({ address }) => !isAddressAllowed(trust, getNetworkScope(address)));
  if (forbidden) throw new ImageError(`${host} leads to ${forbidden.address}, an inner or special address`);
  return addresses;
}

/** A look-up has no end of its own. */
async function endWith<T>(signal: AbortSignal, work: Promise<T>): Promise<T> {
  signal.throwIfAborted();
  const { promise: aborted, reject } = Promise.withResolvers<never>();
  const stop = () => reject(signal.reason);
  signal.addEventListener('abort', stop, { once: true });
  try {
    return await Promise.race([work, aborted]);
  } finally {
    signal.removeEventListener('abort', stop);
  }
}

async function read(response: IncomingMessage, place: URL, maxSize: number): Promise<FetchedImage> {
  try {
    const { statusCode, headers } = response;
    const type = mediaTypeEssence(headers['content-type'] ?? '');
    if (statusCode !== 200) throw new ImageError(`it was answered with ${statusCode}`);
    if (!type.startsWith('image/'))
      throw new ImageError(`it is ${type === '' ? 'of no type' : type} and no picture`);
    if ((headers['content-encoding'] ?? 'identity') !== 'identity')
      throw new ImageError('it came compressed');
    if (Number(headers['content-length'] ?? 0) > maxSize) throw new ImageError('it is too large');
    return { bytes: await take(response, maxSize), type, name: nameOf(place, type) };
  } finally {
    response.destroy();
  }
}

async function take(response: IncomingMessage, maxSize: number): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let size = 0;
  try {
    for await (const chunk of response as AsyncIterable<Buffer>) {
      size += chunk.length;
      if (size > maxSize) throw new ImageError('it is too large');
      chunks.push(chunk);
    }
  } catch (error) {
    if (error instanceof ImageError) throw error;
    throw new ImageError('it broke off', { cause: error });
  }
  if (size === 0) throw new ImageError('it is empty');
  return Buffer.concat(chunks);
}

/** The last part of the path, with an ending that fits the type. */
function nameOf({ pathname }: URL, type: string): string {
  const last = pathname.split('/').at(-1) ?? '';
  const name =
    last
      .replace(/%[0-9a-f]{2}/gi, '_')
      .replace(/[^\w.-]/g, '_')
      .slice(-80) || 'image';
  return mediaTypesForName(name).includes(type) ? name : `${name}.${blobExtension('', type)}`;
}
