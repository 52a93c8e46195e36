import { LRUCache } from 'lru-cache';
import { foldLoosely, prepareDomain, prepareLocalpart, prepareResource } from './precis.ts';

/** An XMPP address (RFC 7622), normalized: two spellings that RFC 7622 treats as equal are the same `Jid`. */
export interface Jid {
  /** Empty for a server or component. */
  readonly local: string;
  readonly domain: string;
  /** Empty for a bare JID. */
  readonly resource: string;
}

const MAX_PART_BYTES = 1023;

/** Parts that need no preparation except lower case, as in nearly all JIDs. Labels that begin with `xn--` need more. */
const PLAIN_LOCAL = /^[!#$%()*+,\-.0-9;=?[\\\]^_`a-z{|}~]*$/;
const PLAIN_DOMAIN = /^(?!xn--)(?!.*\.xn--)[a-z0-9_-]+(?:\.[a-z0-9_-]+)*$/;
const PLAIN_RESOURCE = /^[\x20-\x7e]*$/;

const PLAIN_KEY = /^[\x21-\x40\x5b-\x7e]*$/;

/** Results for JIDs that need preparation, which takes about 20 µs. Long texts are not cached, to bound the memory. */
const prepared = new LRUCache<string, Jid | string>({ max: 10_000 });
const MAX_CACHED_LENGTH = 200;

/** Parses `[local@]domain[/resource]`. Returns undefined if it is invalid; `describeInvalidJid` says why. */
export function parseJid(text: string): Jid | undefined {
  const jid = readJid(text);
  return typeof jid === 'string' ? undefined : jid;
}

/** Parses a JID to a normalized `local@domain` or `domain`. Returns undefined if it is invalid. */
export function parseBareJid(text: string): string | undefined {
  const jid = parseJid(text);
  return jid && formatBareJid(jid);
}

/** Returns why `parseJid` refuses a text, as a sentence for an error text. Empty if the text is a valid JID. */
export function describeInvalidJid(text: string): string {
  const problem = readJid(text);
  return typeof problem === 'string' ? `${printable(text)} is not a valid JID: ${problem}.` : '';
}

export function formatBareJid(jid: Jid): string {
  return jid.local === '' ? jid.domain : `${jid.local}@${jid.domain}`;
}

export function formatJid(jid: Jid): string {
  return jid.resource === '' ? formatBareJid(jid) : `${formatBareJid(jid)}/${jid.resource}`;
}

/**
 * Returns a key that is equal for all spellings that some server could treat as the same account, such as `straße` and `strasse`.
 * For throttles and deny rules. Not for owners: a server may have both accounts.
 */
export function looseJidKey(bareJid: string): string {
  return PLAIN_KEY.test(bareJid) ? bareJid : foldLoosely(bareJid);
}

/** Returns the JID, or the reason why it is invalid. */
function readJid(text: string): Jid | string {
  const slash = text.indexOf('/');
  const bare = slash < 0 ? text : text.slice(0, slash);
  const resource = slash < 0 ? '' : text.slice(slash + 1);
  const at = bare.indexOf('@');
  if (at === 0) return 'the part before the @ is empty';
  if (slash >= 0 && resource === '') return 'the resource after the / is empty';
  const local = at < 0 ? '' : bare.slice(0, at).toLowerCase();
  const domain = bare.slice(at + 1).toLowerCase();
  if (domain === '') return 'the domain is missing';
  if (PLAIN_LOCAL.test(local) && PLAIN_DOMAIN.test(domain) && PLAIN_RESOURCE.test(resource)) {
    return checkLengths({ local, domain, resource });
  }
  const cached = prepared.get(text);
  if (cached !== undefined) return cached;
  const result = prepareParts(at < 0 ? undefined : bare.slice(0, at), bare.slice(at + 1), resource);
  if (text.length <= MAX_CACHED_LENGTH) prepared.set(text, result);
  return result;
}

function prepareParts(local: string | undefined, domain: string, resource: string): Jid | string {
  const parts = {
    local: local === undefined ? '' : prepareLocalpart(local),
    domain: prepareDomain(domain),
    resource: resource === '' ? '' : prepareResource(resource),
  };
  for (const part of Object.values(parts)) if (typeof part !== 'string') return part.problem;
  const jid = parts as Jid;
  if ((local !== undefined && jid.local === '') || jid.domain === '') return 'a part of it is empty';
  return checkLengths(jid);
}

function checkLengths(jid: Jid): Jid | string {
  if (!isTooLong(jid.local) && !isTooLong(jid.domain) && !isTooLong(jid.resource)) return jid;
  return `a part of it has more than ${MAX_PART_BYTES} bytes`;
}

/** A UTF-16 unit has at most three bytes in UTF-8, so the bytes of short parts need not be counted. */
const isTooLong = (part: string) =>
  part.length > MAX_PART_BYTES / 3 && Buffer.byteLength(part) > MAX_PART_BYTES;

/** Removes characters that could disturb a log line or terminal, and shortens the text. */
function printable(text: string): string {
  const clean = text.toWellFormed().replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, '\ufffd');
  return clean.length > 100 ? `${clean.slice(0, 100).toWellFormed()}…` : clean;
}
