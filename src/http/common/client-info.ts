import type { IncomingMessage } from 'node:http';
import { isIPv4, type Socket } from 'node:net';
import type { TLSSocket } from 'node:tls';
import {
  type ForwardedHop,
  normalizeAddress,
  parseForwarded,
  parseHeaderList,
  parseNodeAddress,
} from './forwarded.ts';

/** Who asks, how and where, as far as it can be believed. */
export interface ClientInfo {
  /** IP address of the client; `unix` for a local socket, `unknown` where nothing can be believed. */
  readonly address: string;
  readonly protocol: 'http' | 'https';
  /** Host and port as the client has them, fit for a URL (`hostOf`). Undefined where there is none. */
  readonly host: string | undefined;
}

export const UNIX_SOCKET = 'unix';
export const UNKNOWN_ADDRESS = 'unknown';

/** Says whether an address lies in the ranges of an option (`base/addresses.ts`). */
export type AddressMatcher = (address: string | undefined) => boolean;

/**
 * What is at the other end of each connection, noted while it is surely there: asked later, a TCP socket whose
 * peer has gone has no address, just like a Unix socket, and that one is trusted.
 */
const ends = new WeakMap<Socket, string>();

/** Called by the server for each new connection. */
export function recordConnection(socket: Socket, isUnix: boolean): void {
  ends.set(socket, isUnix ? UNIX_SOCKET : normalizeAddress(socket.remoteAddress ?? UNKNOWN_ADDRESS));
}

const FORWARDING = ['x-forwarded-for', 'x-forwarded-proto', 'x-forwarded-host', 'forwarded'] as const;

/**
 * The client of a request. What `X-Forwarded-*` or `Forwarded` (RFC 7239) say counts only if it comes from a
 * trusted proxy or a Unix socket, and of a chain the right-most hop that is not one of them is the client.
 */
export function getClientInfo(request: IncomingMessage, trusted: AddressMatcher): ClientInfo {
  const { socket, headers } = request;
  const address = addressOf(socket);
  const protocol = (socket as TLSSocket).encrypted === true ? 'https' : 'http';
  const direct = { address, protocol, host: parseHost(headers.host, protocol) } as const;
  const forwards = FORWARDING.some((name) => headers[name] !== undefined);
  return forwards && believes(trusted, address) ? forwardedPeer(request, trusted, direct) : direct;
}

/** Did a trusted proxy, or somebody at a Unix socket, pass this request on? */
export function isForwardedByTrustedProxy(
  { socket, headers }: IncomingMessage,
  trusted: AddressMatcher,
): boolean {
  const forwards = FORWARDING.some((name) => headers[name] !== undefined);
  return forwards && believes(trusted, addressOf(socket));
}

/** May this client call? A Unix socket counts as the machine itself. */
export function isAllowedClient(allowFrom: AddressMatcher, { address }: ClientInfo): boolean {
  return allowFrom(address === UNIX_SOCKET ? '127.0.0.1' : address);
}

function addressOf(socket: Socket): string {
  return ends.get(socket) ?? normalizeAddress(socket.remoteAddress ?? UNKNOWN_ADDRESS);
}

function believes(trusted: AddressMatcher, address: string): boolean {
  return address === UNIX_SOCKET || trusted(address);
}

function forwardedPeer(
  { headers }: IncomingMessage,
  trusted: AddressMatcher,
  direct: ClientInfo,
): ClientInfo {
  const theirs = parseHeaderList(headers['x-forwarded-for']);
  const hops = parseForwarded(headers.forwarded);
  const byTheirs = walk(trusted, direct.address, theirs);
  const byHops = walk(
    trusted,
    direct.address,
    hops.map((hop) => hop.for),
  );
  const hop: ForwardedHop | undefined = atHop(hops, byHops.count);
  const protocol =
    protocolOf(atHop(parseHeaderList(headers['x-forwarded-proto']), byTheirs.count)) ??
    protocolOf(hop?.proto) ??
    direct.protocol;
  const host =
    parseHost(atHop(parseHeaderList(headers['x-forwarded-host']), byTheirs.count), protocol) ??
    parseHost(hop?.host, protocol) ??
    parseHost(headers.host, protocol);
  // A proxy that writes only one of the two passes the other on as the client wrote it: where they name
  // different clients, neither is believed.
  const differ = theirs.length > 0 && hops.length > 0 && byTheirs.client !== byHops.client;
  const address = differ ? UNKNOWN_ADDRESS : theirs.length > 0 ? byTheirs.client : byHops.client;
  return { address, protocol, host };
}

/** From the right through the proxies that are trusted, up to the first that is not, or to the end of the list. */
function walk(trusted: AddressMatcher, start: string, entries: readonly string[]) {
  let client = start;
  let count = 0;
  while (count < entries.length && believes(trusted, client)) {
    count += 1;
    client = parseNodeAddress(entries.at(-count) ?? '') ?? UNKNOWN_ADDRESS;
  }
  return { client, /** Entries that were believed. */ count: Math.max(1, count) };
}

/** The entry that the outermost trusted proxy wrote; proxies that overwrite instead of adding leave only one. */
function atHop<T>(entries: readonly T[], count: number): T | undefined {
  return entries[Math.max(0, entries.length - count)];
}

function protocolOf(text: string | undefined): ClientInfo['protocol'] | undefined {
  const name = text?.toLowerCase();
  return name === 'http' || name === 'https' ? name : undefined;
}

const LABEL = '[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?';
const HOST = new RegExp(`^((?:${LABEL}\\.)*${LABEL})(?::([1-9]\\d{0,4}))?$`);
const NUMERIC = /(?:^|\.)(?:\d+|0x[0-9a-f]*)$/;
const LOOPBACK6 = /^\[::1\](?=:|$)/;
const MAX_HOST = 260;

/**
 * A `Host` that can stand in a URL of ours, lower case and without the default port, or undefined. Only names and
 * IPv4: servers that encode the URLs of slots a second time spoil the brackets of IPv6 (FIELD 5.4), so `[::1]`
 * goes by its name.
 */
export function parseHost(text: string | undefined, protocol: ClientInfo['protocol']): string | undefined {
  if (text === undefined || text.length > MAX_HOST) return undefined;
  const match = HOST.exec(text.toLowerCase().replace(LOOPBACK6, 'localhost'));
  const [, name, port] = match ?? [];
  if (name === undefined || Number(port ?? 1) > 65_535) return undefined;
  // A last label of digits makes it an address (WHATWG URL): `0` and `127.1` would be read as other ones.
  if (NUMERIC.test(name) && !isIPv4(name)) return undefined;
  return port === undefined || port === (protocol === 'https' ? '443' : '80') ? name : `${name}:${port}`;
}
