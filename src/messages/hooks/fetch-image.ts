import type { LookupAddress } from 'node:dns';
import { lookup } from 'node:dns/promises';
import {
  type ClientRequest,
  request as httpRequest,
  type IncomingMessage,
  type RequestOptions,
} from 'node:http';
import { request as httpsRequest } from 'node:https';
import { withoutBrackets } from '../../base/addresses.ts';
import { raceAbort } from '../../base/async.ts';
import { getNetworkScope } from '../../base/network-scope.ts';
import { readBounded } from '../../base/read-bounded.ts';
import { blobExtension, mediaTypeEssence, mediaTypesForName } from '../../policy/media-type.ts';
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

/** Fetches an image from a listed host. Each redirect is checked like the first URL. Throws `ImageError`. */
export async function fetchImage({ url, hosts, maxSize, signal }: ImageRequest): Promise<FetchedImage> {
  let currentUrl = parseUrl(url);
  for (let redirects = 0; redirects <= MAX_REDIRECTS; redirects += 1) {
    const response = await request(currentUrl, matchImageHost(currentUrl, hosts), signal);
    const { location } = response.headers;
    if (!isRedirect(response) || location === undefined)
      return await readImage(response, currentUrl, maxSize);
    response.destroy();
    currentUrl = parseUrl(location, currentUrl);
  }
  throw new ImageError('there are too many redirects');
}

function parseUrl(text: string, base?: URL): URL {
  if (!URL.canParse(text, base?.href)) throw new ImageError('the URL is invalid');
  return new URL(text, base);
}

function isRedirect({ statusCode = 0 }: IncomingMessage): boolean {
  return [301, 302, 303, 307, 308].includes(statusCode);
}

/** Connects only to the checked addresses. A second lookup could return others (DNS rebinding). */
async function request(url: URL, trust: AddressTrust, signal: AbortSignal): Promise<IncomingMessage> {
  const addresses = isIpLiteral(url.hostname) ? [] : await resolveHost(url.hostname, trust, signal);
  const hostAddress = withoutBrackets(url.hostname);
  if (addresses.length === 0 && !isAddressAllowed(trust, getNetworkScope(hostAddress))) {
    throw new ImageError(`${url.hostname} is not an allowed address`);
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
  return await waitForResponse(
    url.protocol === 'https:' ? httpsRequest(url, options) : httpRequest(url, options),
  );
}

function waitForResponse(clientRequest: ClientRequest): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    clientRequest.on('response', resolve);
    clientRequest.on('error', (error) => {
      reject(new ImageError(`the image cannot be fetched: ${error.message}`));
    });
    clientRequest.end();
  });
}

/** Returns all addresses of a host. Throws if one of them is forbidden: a listed host should not have such an address. */
async function resolveHost(host: string, trust: AddressTrust, signal: AbortSignal): Promise<LookupAddress[]> {
  signal.throwIfAborted();
  // `lookup` itself has no timeout.
  const addresses = await raceAbort(lookup(host, { all: true }), signal).catch((error: Error) => {
    throw new ImageError(`its host cannot be resolved: ${error.message}`);
  });
  const forbidden = addresses.find(({ address }) => !isAddressAllowed(trust, getNetworkScope(address)));
  if (forbidden) {
    throw new ImageError(`${host} resolves to ${forbidden.address}, a private or special address`);
  }
  return addresses;
}

async function readImage(response: IncomingMessage, url: URL, maxSize: number): Promise<FetchedImage> {
  try {
    const { statusCode, headers } = response;
    const type = mediaTypeEssence(headers['content-type'] ?? '');
    if (statusCode !== 200) throw new ImageError(`the server answered with status ${statusCode}`);
    if (!type.startsWith('image/')) {
      throw new ImageError(`its type is ${type === '' ? 'missing' : type}, not an image`);
    }
    if ((headers['content-encoding'] ?? 'identity') !== 'identity') {
      throw new ImageError('the response is compressed');
    }
    if (Number(headers['content-length'] ?? 0) > maxSize) throw tooLarge(maxSize);
    return { bytes: await readBytes(response, maxSize), type, name: fileName(url, type) };
  } finally {
    response.destroy();
  }
}

async function readBytes(response: IncomingMessage, maxSize: number): Promise<Buffer> {
  const bytes = await readBounded(response, maxSize).catch((cause: unknown) => {
    throw new ImageError('the connection was closed before the end of the image', { cause });
  });
  if (bytes === undefined) throw tooLarge(maxSize);
  if (bytes.length === 0) throw new ImageError('the image is empty');
  return bytes;
}

function tooLarge(maxSize: number): ImageError {
  return new ImageError(`the image is larger than max_image_size (${maxSize} bytes)`);
}

/** Returns the last part of the path, with an extension that matches the type. */
function fileName({ pathname }: URL, type: string): string {
  const last = pathname.split('/').at(-1) ?? '';
  const name =
    last
      .replace(/%[0-9a-f]{2}/gi, '_')
      .replace(/[^\w.-]/g, '_')
      .slice(-80) || 'image';
  return mediaTypesForName(name).includes(type) ? name : `${name}.${blobExtension('', type)}`;
}
