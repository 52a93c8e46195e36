import { isIPv6 } from 'node:net';
import type { ListenAddress } from '../../base/addresses.ts';
import { parseBareJid } from '../../base/jid.ts';
import { InvalidValueError, valueType } from './value-types.ts';

export interface ServerAddress {
  readonly host: string;
  readonly port: number;
}

export type BlobLocation =
  | { readonly kind: 'folder'; readonly path: string }
  | {
      readonly kind: 's3';
      readonly bucket: string;
      /** Without slashes at both ends. Empty if the keys have no prefix. */
      readonly prefix: string;
      readonly endpoint: string | null;
      /** The endpoint for clients; null if it is the same. */
      readonly public_endpoint: string | null;
      readonly region: string | null;
      readonly path_style: boolean;
      readonly create: boolean;
    };

export type LedgerLocation =
  | { readonly kind: 'sqlite'; readonly path: string }
  | {
      readonly kind: 'postgres';
      readonly url: string;
      /** The largest number of connections of one process. */
      readonly connections: number;
    };

/** Parses `127.0.0.1:5050`, `[::1]:5050`, `5050`, `*:5050` or `unix:/run/porter/porter.sock`. */
export function listenAddress() {
  const expected = 'host:port, [::1]:port, a port or unix:/path';
  return valueType<ListenAddress>({ type: 'address' }, expected, (value) => {
    if (typeof value === 'number' || (typeof value === 'string' && /^\d+$/.test(value))) {
      return isPort(Number(value)) ? { port: Number(value) } : undefined;
    }
    if (typeof value !== 'string') return undefined;
    const [, anyHost] = /^\*:(\d{1,5})$/.exec(value) ?? [];
    if (anyHost !== undefined) return isPort(Number(anyHost)) ? { port: Number(anyHost) } : undefined;
    if (value.startsWith('unix:')) return value.length > 5 ? { path: value.slice(5) } : undefined;
    return readHostPort(value);
  });
}

/** Parses `127.0.0.1:5347` or `[::1]:5347`. `defaultPort` is the port in the error message. */
export function serverAddress(defaultPort: number) {
  return valueType<ServerAddress>(
    { type: 'host:port' },
    `host:port, such as 127.0.0.1:${defaultPort}`,
    (value) => {
      const found = typeof value === 'string' ? readHostPort(value) : undefined;
      return found?.port === 0 ? undefined : found;
    },
  );
}

function readHostPort(text: string): ServerAddress | undefined {
  const match = /^(?:\[([^\]]+)\]|([^\s:[\]/]+)):(\d{1,5})$/.exec(text);
  if (!match) return undefined;
  const [, ipv6, host = ipv6, port] = match;
  if (ipv6 !== undefined && !isIPv6(ipv6)) return undefined;
  return host !== undefined && isPort(Number(port)) ? { host, port: Number(port) } : undefined;
}

function isPort(port: number): boolean {
  return Number.isInteger(port) && port >= 0 && port <= 65535;
}

/** Parses `unix:/run/clamav/clamd.ctl` or `tcp://127.0.0.1:3310`. */
export function scannerAddress() {
  const expected = 'unix:/path or tcp://host:port';
  return valueType<{ path: string } | ServerAddress>({ type: expected }, expected, (value) => {
    if (typeof value !== 'string') return undefined;
    if (value.startsWith('unix:/')) return { path: value.slice('unix:'.length) };
    const found = value.startsWith('tcp://') ? readHostPort(value.slice('tcp://'.length)) : undefined;
    return found?.port === 0 ? undefined : found;
  });
}

/** Parses a URL at which clients reach Porter. Removes slashes at its end. */
export function baseUrl() {
  return valueType({ type: 'URL' }, 'a URL such as https://upload.example.org', (value) => {
    const url = typeof value === 'string' ? webUrl(value) : undefined;
    if (!url) return undefined;
    if (url.search !== '' || url.hash !== '')
      throw new InvalidValueError('must end with the path: no ? and no #');
    if (/[^A-Za-z0-9_.\-/]/.test(url.pathname)) {
      throw new InvalidValueError(
        'its path may contain only letters, digits and . _ - /, because some servers change other characters',
      );
    }
    return url.href.replace(/\/+$/, '');
  });
}

/** Parses a URL to which Porter sends requests. It may contain credentials, and placeholders with these names in braces. */
export function callbackUrl(names: readonly string[]) {
  return valueType({ type: 'URL', mayContainPassword: true }, 'a URL with http:// or https://', (value) => {
    if (typeof value !== 'string' || !URL.canParse(value) || !/^https?:/i.test(value)) return undefined;
    const braced = [...value.matchAll(/\{(\w*)\}/g)];
    if (braced.every(([, name = '']) => names.includes(name))) return value;
    throw new InvalidValueError(`only ${names.join(', ')} may be in braces`);
  });
}

function webUrl(text: string): URL | undefined {
  if (!URL.canParse(text)) return undefined;
  const url = new URL(text);
  if (url.username !== '' || url.password !== '')
    throw new InvalidValueError('must not contain a user or password');
  return url.protocol === 'http:' || url.protocol === 'https:' ? url : undefined;
}

const CONTACT = 'a URI such as mailto:abuse@example.org, xmpp:admin@example.org or https://example.org/abuse';

/** Parses a URI at which a person can be reached. */
export function contactUri() {
  return valueType({ type: 'URI' }, CONTACT, (value) => {
    if (typeof value !== 'string' || /[\s\p{Cc}]/u.test(value)) return undefined;
    const [, scheme = '', address = ''] = /^(\w+):(.*)$/.exec(value) ?? [];
    if (scheme === 'https') return URL.canParse(value) ? value : undefined;
    if (scheme === 'mailto') return /^[^@?]+@[^@?]+(?:\?.*)?$/.test(address) ? value : undefined;
    return scheme === 'xmpp' && parseBareJid(address.replace(/\?.*$/, '')) !== undefined ? value : undefined;
  });
}

/** Parses the path of an endpoint. The result ends with a slash unless `bare` is set. */
export function urlPath({ bare = false } = {}) {
  return valueType({ type: 'path' }, 'a path such as /upload/', (value) => {
    if (typeof value !== 'string' || !/^(?:\/[A-Za-z0-9_.-]+)*\/?$/.test(value)) return undefined;
    if (!value.startsWith('/') || /\/\.{1,2}(?:\/|$)/.test(value)) return undefined;
    const trimmed = value.replace(/\/$/, '');
    return bare && trimmed !== '' ? trimmed : `${trimmed}/`;
  });
}

/** Parses the prefix of blob keys in the header to the web server. The result ends with a slash. */
export function internalPrefix() {
  return valueType({ type: 'path' }, 'a path such as /porter-blobs/', (value) => {
    if (typeof value !== 'string' || !/^\/(?:[A-Za-z0-9_.~-]+\/?)*$/.test(value)) return undefined;
    return value.endsWith('/') ? value : `${value}/`;
  });
}

/** Parses a folder, or `s3://bucket/prefix?endpoint=…&region=…&path_style=true&create=true`. */
export function blobLocation() {
  const expected = 'a folder, or s3://bucket/prefix?endpoint=…&region=…';
  return valueType<BlobLocation>(
    { type: 'folder or s3:// URL', mayContainPassword: true },
    expected,
    (value) => {
      if (typeof value !== 'string' || value.trim() === '') return undefined;
      if (/^s3:\/\//i.test(value)) return readS3(value);
      return isOtherUrl(value) ? undefined : { kind: 'folder', path: value };
    },
  );
}

const S3_OPTIONS = ['endpoint', 'public_endpoint', 'region', 'path_style', 'create'];

function readS3(text: string): BlobLocation | undefined {
  if (!URL.canParse(text)) return undefined;
  const url = new URL(text);
  if (url.username !== '' || url.password !== '') {
    throw new InvalidValueError('the URL must not contain keys: set them in the AWS environment or profile');
  }
  const unknown = [...url.searchParams.keys()].find((name) => !S3_OPTIONS.includes(name));
  if (unknown !== undefined)
    throw new InvalidValueError(`s3:// has no option "${unknown}"; it has ${S3_OPTIONS.join(', ')}`);
  if (url.host === '') throw new InvalidValueError('has no bucket: expected s3://bucket/prefix');
  return {
    kind: 's3',
    bucket: url.host,
    prefix: readPrefix(url.pathname),
    endpoint: readEndpoint(url, 'endpoint'),
    public_endpoint: readEndpoint(url, 'public_endpoint'),
    region: url.searchParams.get('region'),
    path_style: readFlag(url, 'path_style'),
    create: readFlag(url, 'create'),
  };
}

function readEndpoint(url: URL, name: string): string | null {
  const endpoint = url.searchParams.get(name);
  if (endpoint !== null && !webUrl(endpoint))
    throw new InvalidValueError(`${name} must be an http:// or https:// URL`);
  return endpoint;
}

function readPrefix(path: string): string {
  try {
    return decodeURIComponent(path).replace(/^\/+|\/+$/g, '');
  } catch {
    throw new InvalidValueError('a percent sign in its path must be written as %25');
  }
}

function readFlag(url: URL, name: string): boolean {
  const value = url.searchParams.get(name) ?? 'false';
  if (value !== 'true' && value !== 'false') throw new InvalidValueError(`${name} must be true or false`);
  return value === 'true';
}

/** Parses the path of a file, or `postgres://…?connections=10`. */
export function ledgerLocation() {
  const expected = 'a file, or postgres://user@host/database';
  return valueType<LedgerLocation>(
    { type: 'file or postgres:// URL', mayContainPassword: true },
    expected,
    (value) => {
      if (typeof value !== 'string' || value.trim() === '') return undefined;
      if (/^postgres(?:ql)?:\/\//i.test(value)) {
        return URL.canParse(value) ? readPostgres(value) : undefined;
      }
      return isOtherUrl(value) ? undefined : { kind: 'sqlite', path: value };
    },
  );
}

function readPostgres(text: string): LedgerLocation {
  const url = new URL(text);
  try {
    decodeURIComponent(`${url.username}${url.password}${url.pathname}`);
  } catch {
    throw new InvalidValueError('a percent sign in its user, password or database must be written as %25');
  }
  const connections = url.searchParams.get('connections') ?? '10';
  if (!/^[1-9]\d{0,2}$/.test(connections))
    throw new InvalidValueError('connections must be a number from 1 to 999');
  return { kind: 'postgres', url: text, connections: Number(connections) };
}

function isOtherUrl(text: string): boolean {
  return /^[a-z][a-z0-9+.-]*:\/\//i.test(text);
}
