import type { IncomingMessage } from 'node:http';
import { isIPv4, type Socket } from 'node:net';
import type { TLSSocket } from 'node:tls';
import { Refusal } from '../../base/errors.ts';
import {
  type ForwardedHop,
  normalizeAddress,
  parseForwarded,
  parseHeaderList,
  parseNodeAddress,
} from './forwarded.ts';

/** The client of a request, from the connection and from the headers of trusted proxies. */
export interface ClientInfo {
  /** IP address; `unix` for a Unix socket, `unknown` if no trusted source names it. */
  readonly address: string;
  readonly protocol: 'http' | 'https';
  /** Host and port as the client sent them, valid in a URL (`parseHost`); undefined without a valid one. */
  readonly host: string | undefined;
}

export const UNIX_SOCKET = 'unix';
const UNKNOWN_ADDRESS = 'unknown';

/** Returns whether an address lies in the ranges of an option (`base/addresses.ts`). */
export type AddressMatcher = (address: string | undefined) => boolean;

/**
 * Addresses of connections, recorded when a connection is accepted. Later, a TCP socket whose peer has disconnected has no
 * address. It would look like a Unix socket, and Unix sockets are trusted.
 */
const remoteAddresses = new WeakMap<Socket, string>();

/** Records the address of a new connection. */
export function recordConnection(socket: Socket, isUnix: boolean): void {
  remoteAddresses.set(
    socket,
    isUnix ? UNIX_SOCKET : normalizeAddress(socket.remoteAddress ?? UNKNOWN_ADDRESS),
  );
}

/** Returns the recorded address of a connection; `unix` for a Unix socket. */
export function connectionAddress(socket: Socket): string {
  return remoteAddressOf(socket);
}

const FORWARDING_HEADERS = ['x-forwarded-for', 'x-forwarded-proto', 'x-forwarded-host', 'forwarded'] as const;

/**
 * Returns the client of a request. `X-Forwarded-*` and `Forwarded` (RFC 7239) are used only if the connection comes from a
 * trusted proxy or a Unix socket. In a chain of proxies, the client is the right-most hop that is not a trusted proxy.
 */
export function getClientInfo(request: IncomingMessage, trusted: AddressMatcher): ClientInfo {
  const { socket, headers } = request;
  const address = remoteAddressOf(socket);
  const protocol = (socket as TLSSocket).encrypted === true ? 'https' : 'http';
  const direct = { address, protocol, host: parseHost(headers.host, protocol) } as const;
  const isForwarded = FORWARDING_HEADERS.some((name) => headers[name] !== undefined);
  return isForwarded && isTrusted(trusted, address) ? forwardedClient(request, trusted, direct) : direct;
}

/** Returns whether a trusted proxy, or a proxy at a Unix socket, forwarded this request. */
export function isForwardedByTrustedProxy(
  { socket, headers }: IncomingMessage,
  trusted: AddressMatcher,
): boolean {
  const isForwarded = FORWARDING_HEADERS.some((name) => headers[name] !== undefined);
  return isForwarded && isTrusted(trusted, remoteAddressOf(socket));
}

/** Returns whether `allowFrom` permits this client. A Unix socket counts as 127.0.0.1. */
export function isAllowedClient(allowFrom: AddressMatcher, { address }: ClientInfo): boolean {
  return allowFrom(address === UNIX_SOCKET ? '127.0.0.1' : address);
}

function remoteAddressOf(socket: Socket): string {
  return remoteAddresses.get(socket) ?? normalizeAddress(socket.remoteAddress ?? UNKNOWN_ADDRESS);
}

function isTrusted(trusted: AddressMatcher, address: string): boolean {
  return address === UNIX_SOCKET || trusted(address);
}

function forwardedClient(
  { headers }: IncomingMessage,
  trusted: AddressMatcher,
  direct: ClientInfo,
): ClientInfo {
  const forwardedFor = parseHeaderList(headers['x-forwarded-for']);
  const hops = parseForwarded(headers.forwarded);
  const xForwarded = findClient(trusted, direct.address, forwardedFor);
  const rfc7239 = findClient(
    trusted,
    direct.address,
    hops.map((hop) => hop.for),
  );
  const hop: ForwardedHop | undefined = entryAt(hops, rfc7239.count);
  const protocol =
    parseProtocol(entryAt(parseHeaderList(headers['x-forwarded-proto']), xForwarded.count)) ??
    parseProtocol(hop?.proto) ??
    direct.protocol;
  const host =
    parseHost(entryAt(parseHeaderList(headers['x-forwarded-host']), xForwarded.count), protocol) ??
    parseHost(hop?.host, protocol) ??
    parseHost(headers.host, protocol);
  // A proxy that writes only one of the two headers forwards the other as the client sent it. If they name different
  // clients, neither is trusted.
  const differ = forwardedFor.length > 0 && hops.length > 0 && xForwarded.client !== rfc7239.client;
  const address = differ ? UNKNOWN_ADDRESS : forwardedFor.length > 0 ? xForwarded.client : rfc7239.client;
  return { address, protocol, host };
}

/** Follows the chain from the right until the first address that is not a trusted proxy, or to its end. */
function findClient(trusted: AddressMatcher, start: string, entries: readonly string[]) {
  let client = start;
  let count = 0;
  while (count < entries.length && isTrusted(trusted, client)) {
    count += 1;
    client = parseNodeAddress(entries.at(-count) ?? '') ?? UNKNOWN_ADDRESS;
  }
  return { client, /** Number of entries that trusted proxies wrote. */ count: Math.max(1, count) };
}

/** Returns the entry of the outermost trusted proxy. Proxies that overwrite instead of appending leave only one. */
function entryAt<T>(entries: readonly T[], count: number): T | undefined {
  return entries[Math.max(0, entries.length - count)];
}

function parseProtocol(text: string | undefined): ClientInfo['protocol'] | undefined {
  const name = text?.toLowerCase();
  return name === 'http' || name === 'https' ? name : undefined;
}

/** Returns the base of links for a client if `public_url` is not set: the host that the client requested. */
export function requestBaseUrl({ protocol, host }: ClientInfo): string {
  if (host !== undefined) return `${protocol}://${host}`;
  throw new Refusal('bad_request', {
    text: 'The Host header cannot be used in a link. The administrator of this server has to set public_url.',
  });
}

const LABEL = '[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?';
const HOST = new RegExp(`^((?:${LABEL}\\.)*${LABEL})(?::([1-9]\\d{0,4}))?$`);
const NUMERIC = /(?:^|\.)(?:\d+|0x[0-9a-f]*)$/;
const LOOPBACK6 = /^\[::1\](?=:|$)/;
const MAX_HOST = 260;

/**
 * Returns a `Host` in lower case, without the default port, or undefined if it is not valid in a link. Only names and IPv4
 * addresses are valid, because some ejabberd versions break the brackets of IPv6 addresses (docs/protocols.md, "Slot API of
 * ejabberd and django"). `[::1]` becomes `localhost`.
 */
export function parseHost(text: string | undefined, protocol: ClientInfo['protocol']): string | undefined {
  if (text === undefined || text.length > MAX_HOST) return undefined;
  const match = HOST.exec(text.toLowerCase().replace(LOOPBACK6, 'localhost'));
  const [, name, port] = match ?? [];
  if (name === undefined || Number(port ?? 1) > 65_535) return undefined;
  // A numeric last label makes it an IPv4 address (WHATWG URL Standard): `127.1` would be read as 127.0.0.1.
  if (NUMERIC.test(name) && !isIPv4(name)) return undefined;
  return port === undefined || port === (protocol === 'https' ? '443' : '80') ? name : `${name}:${port}`;
}
