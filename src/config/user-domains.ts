import { RE2JS } from 're2js';
import { parseJid } from '../base/jid.ts';
import { domainsOf, type HostedComponent } from './hosted-domains.ts';

interface AccessPatterns {
  readonly deny: boolean;
  readonly jid: readonly string[];
}

/** A pattern that ends in one domain, such as `@example\.org$` or `^romeo@example\.org$`, with or without escaped dots. */
const AFTER_AT = /@((?:[\p{L}\p{N}_-]|\\?[.-])+)\$?$/u;
/** A pattern of a domain without `@`, such as `example\.org$`. */
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

/** A domain whose service list (XEP-0030) clients search for the component. */
export interface UserDomain {
  readonly domain: string;
  /** False for the component's parent domain if `access` allows no account there. */
  readonly hasUsers: boolean;
}

interface Hosting {
  readonly access: readonly AccessPatterns[];
  readonly component: readonly Pick<HostedComponent, 'jid' | 'domains'>[];
}

/**
 * Returns the domains that a component serves (by default its parent domain). Then come domains that `access` names and no other
 * component serves.
 */
export function userDomainsOf(componentJid: string, { access, component }: Hosting): UserDomain[] {
  const others = component.filter(({ jid }) => jid !== componentJid).flatMap(domainsOf);
  const named = namedDomains(access).filter((domain) => domain !== componentJid && !others.includes(domain));
  const domains = component.find(({ jid }) => jid === componentJid)?.domains ?? null;
  // The parent of `upload.org` is a top-level domain, which has no users.
  const served = domainsOf({ jid: componentJid, domains }).filter(
    (domain) => domains !== null || domain.includes('.') || domain === 'localhost',
  );
  const hasUsers = (domain: string) =>
    access.some(
      ({ deny, jid }) => !deny && jid.some((text) => RE2JS.compile(text).matcher(`someone@${domain}`).find()),
    );
  const unnamed = served.filter((domain) => !named.includes(domain));
  return [
    ...unnamed.map((domain) => ({ domain, hasUsers: hasUsers(domain) })),
    ...named.map((domain) => ({ domain, hasUsers: true })),
  ];
}
