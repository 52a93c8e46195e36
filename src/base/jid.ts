/** An XMPP address (RFC 7622), case-folded as XMPP servers do. */
export interface Jid {
  /** Empty for a server or component. */
  readonly local: string;
  readonly domain: string;
  /** Empty for a bare JID. */
  readonly resource: string;
}

const FORBIDDEN_LOCAL = /["&'/:<>@\s\p{Cc}]/u;
// Empty labels too: parsing removes one trailing dot, so `a..` would change with each parse.
const FORBIDDEN_DOMAIN = /["&'/<>@\s\p{Cc}]|^\.|\.\.|\.$/u;
const MAX_PART_BYTES = 1023;

/** Parses `[local@]domain[/resource]`. Returns undefined if it is invalid. */
export function parseJid(text: string): Jid | undefined {
  const slash = text.indexOf('/');
  const bare = slash < 0 ? text : text.slice(0, slash);
  const resource = slash < 0 ? '' : text.slice(slash + 1);
  const at = bare.indexOf('@');
  const local = at < 0 ? '' : fold(bare.slice(0, at));
  const domain = fold(bare.slice(at + 1)).replace(/(?<=[^.])\.$/, '');
  if (at === 0 || (slash >= 0 && resource === '') || domain === '') return undefined;
  if (FORBIDDEN_LOCAL.test(local) || FORBIDDEN_DOMAIN.test(domain)) return undefined;
  if ([local, domain, resource].some((part) => Buffer.byteLength(part) > MAX_PART_BYTES)) return undefined;
  return { local, domain, resource };
}

/** Parses a JID to `local@domain` or `domain`, folded. Returns undefined if it is invalid. */
export function parseBareJid(text: string): string | undefined {
  const jid = parseJid(text);
  return jid && formatBareJid(jid);
}

export function formatBareJid(jid: Jid): string {
  return jid.local === '' ? jid.domain : `${jid.local}@${jid.domain}`;
}

// The parts of UsernameCaseMapped (RFC 8265, section 3.3) that decide equality: width and case mapping, then NFC.
function fold(part: string): string {
  return part.normalize('NFKC').toLowerCase().normalize('NFC');
}
