import { RE2JS } from 're2js';
import { parseJid } from '../base/jid.ts';

interface AccessPatterns {
  readonly deny: boolean;
  readonly jid: readonly string[];
}

/** A pattern that ends in one domain, such as `@example\.org$` or `^romeo@example\.org$`, with or without escaped dots. */
const AFTER_AT = /@((?:[\p{L}\p{N}_-]|\\?[.-])+)\$?$/u;
/** A pattern that is a domain without `@`, such as `example\.org$`. */
const BARE = /^\^?((?:[\p{L}\p{N}_-]+\\?\.)+\p{L}[\p{L}\p{N}-]*)\$?$/u;

/** Returns the domains that the patterns of `access` name, except those of deny rules. */
export function namedDomains(access: readonly AccessPatterns[]): string[] {
  const patterns = access.filter(({ deny }) => !deny).flatMap(({ jid }) => jid);
  return [
    ...new Set(
      patterns.flatMap((pattern) => {
        const text = (AFTER_AT.exec(pattern) ?? BARE.exec(pattern))?.[1]?.replaceAll('\\', '') ?? '';
        const jid = parseJid(text);
        return jid && jid.local === '' && jid.resource === '' ? [jid.domain] : [];
      }),
    ),
  ];
}

/** A domain in whose service list clients look for the component. */
export interface UserDomain {
  readonly domain: string;
  /** False for the component's parent domain if `access` allows no account there. */
  readonly hasUsers: boolean;
}

/** Returns the component's parent domain and all domains that `access` names, in this order. */
export function userDomainsOf(componentJid: string, access: readonly AccessPatterns[]): UserDomain[] {
  const named = namedDomains(access).filter((domain) => domain !== componentJid);
  const parent = componentJid.slice(componentJid.indexOf('.') + 1);
  // The parent of `upload.org` is a top-level domain.
  const hasParent = parent !== componentJid && (parent.includes('.') || parent === 'localhost');
  if (!hasParent || named.includes(parent)) return named.map((domain) => ({ domain, hasUsers: true }));
  const hasUsers = access.some(
    ({ deny, jid }) => !deny && jid.some((text) => RE2JS.compile(text).matcher(`someone@${parent}`).find()),
  );
  return [{ domain: parent, hasUsers }, ...named.map((domain) => ({ domain, hasUsers: true }))];
}
