import { isIP } from 'node:net';

/** One hop of a chain of proxies, as the proxy that took the request from it wrote it down. */
export interface ForwardedHop {
  /** What stands for its address; empty where nothing does. */
  readonly for: string;
  readonly proto?: string | undefined;
  readonly host?: string | undefined;
}

/** The entries of a comma-separated header, empty ones left out. */
export function parseHeaderList(header: string | string[] | undefined): string[] {
  if (header === undefined) return [];
  const text = Array.isArray(header) ? header.join(',') : header;
  return text
    .split(',')
    .map((entry) => entry.trim())
    .filter((entry) => entry !== '');
}

const QUOTED = '"(?:[^"\\\\]|\\\\.)*"';
const BALANCED = new RegExp(`^(?:${QUOTED}|[^"])*$`);
const ELEMENT = new RegExp(`(?:${QUOTED}|[^",])+`, 'g');
const PAIR = new RegExp(`(?:${QUOTED}|[^";])+`, 'g');

/**
 * `Forwarded` (RFC 7239), left to right. Quotes are honoured, because a client's `Host` may stand in them,
 * commas and all; where they don't close, nobody can tell who wrote what: one hop without an address.
 */
export function parseForwarded(header: string | undefined): ForwardedHop[] {
  if (header === undefined || header.trim() === '') return [];
  if (!BALANCED.test(header)) return [{ for: '' }];
  return (header.match(ELEMENT) ?? []).filter((element) => element.trim() !== '').map(readElement);
}

function readElement(element: string): ForwardedHop {
  const hop = { for: '' } as { for: string; proto?: string; host?: string };
  for (const pair of element.match(PAIR) ?? []) {
    const equals = pair.indexOf('=');
    const name = pair.slice(0, Math.max(0, equals)).trim().toLowerCase();
    const value = unquote(pair.slice(equals + 1).trim());
    if (name === 'for') hop.for = value;
    else if (name === 'proto' || name === 'host') hop[name] = value;
  }
  return hop;
}

function unquote(text: string): string {
  const quoted = text.length >= 2 && text.startsWith('"') && text.endsWith('"');
  return quoted ? text.slice(1, -1).replace(/\\(.)/g, '$1') : text;
}

/**
 * The address in `192.0.2.1`, `192.0.2.1:4711`, `2001:db8::1`, `[2001:db8::1]`, `[2001:db8::1]:4711`; undefined
 * in anything else, `unknown` and hidden names (`_abc`) included.
 */
export function parseNodeAddress(text: string): string | undefined {
  const bracketed = /^\[([0-9A-Fa-f:.]+)\](?::\d{1,5})?$/.exec(text)?.[1];
  const address = bracketed ?? /^(\d+\.\d+\.\d+\.\d+)(?::\d{1,5})?$/.exec(text)?.[1] ?? text;
  return isIP(address) === 0 ? undefined : normalizeAddress(address);
}

/** One spelling for one address: no IPv6 clothes around IPv4, no zone, lower case. */
export function normalizeAddress(address: string): string {
  const bare = address.split('%', 1)[0] ?? '';
  return /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(bare)?.[1] ?? bare.toLowerCase();
}
