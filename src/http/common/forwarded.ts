import { isIP } from 'node:net';

/** One element of `Forwarded` (RFC 7239 §4), as the next proxy wrote it. */
export interface ForwardedHop {
  /** Address or identifier of the node; empty if missing. */
  readonly for: string;
  readonly proto?: string | undefined;
  readonly host?: string | undefined;
}

/** Returns the entries of a comma-separated header without empty ones. */
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
 * Parses `Forwarded` (RFC 7239), left to right. Quoted strings are respected, because a proxy may quote the client's `Host`,
 * which may contain commas. An unclosed quote makes the header ambiguous: the result is one hop without an address.
 */
export function parseForwarded(header: string | undefined): ForwardedHop[] {
  if (header === undefined || header.trim() === '') return [];
  if (!BALANCED.test(header)) return [{ for: '' }];
  return (header.match(ELEMENT) ?? []).filter((element) => element.trim() !== '').map(parseElement);
}

function parseElement(element: string): ForwardedHop {
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
 * Returns the address in `192.0.2.1`, `192.0.2.1:4711`, `2001:db8::1`, `[2001:db8::1]` or `[2001:db8::1]:4711`. Returns
 * undefined for anything else, `unknown` and obfuscated identifiers (`_abc`, RFC 7239 §6.3) included.
 */
export function parseNodeAddress(text: string): string | undefined {
  const bracketed = /^\[([0-9A-Fa-f:.]+)\](?::\d{1,5})?$/.exec(text)?.[1];
  const address = bracketed ?? /^(\d+\.\d+\.\d+\.\d+)(?::\d{1,5})?$/.exec(text)?.[1] ?? text;
  return isIP(address) === 0 ? undefined : normalizeAddress(address);
}

/** Returns the canonical spelling of an address: lower case, without a zone, IPv4 instead of IPv4-mapped IPv6. */
export function normalizeAddress(address: string): string {
  const withoutZone = address.split('%', 1)[0] ?? '';
  return /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(withoutZone)?.[1] ?? withoutZone.toLowerCase();
}
