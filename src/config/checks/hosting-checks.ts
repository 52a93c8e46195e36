import { isDeepStrictEqual } from 'node:util';
import { RE2JS } from 're2js';
import { createHostedLinks, DOMAIN_PLACEHOLDER, domainsOf, expandDomains } from '../hosted-domains.ts';
import type { ConfigOptions } from '../schema/config-schema.ts';
import type { Complain } from './complain.ts';

/** Checks that `{domain}` in `access` stands for at least one domain. */
export function checkHosting({ access, component }: ConfigOptions, complain: Complain): void {
  if (component.flatMap(domainsOf).length > 0) return;
  access.forEach(({ jid }, index) => {
    if (!jid.some((pattern) => pattern.includes(DOMAIN_PLACEHOLDER))) return;
    complain(
      `access[${index}].jid`,
      '{domain} stands for the domains of `component`, but there are none',
      'write the domain itself',
    );
  });
}

/** Returns warnings about components that contradict each other or `access`. `settings`: before `{domain}` is replaced. */
export function hostingWarnings(settings: ConfigOptions): string[] {
  return [
    ...placeholderWarnings(settings),
    ...sharedDomainWarnings(settings),
    ...swappedUrlWarnings(settings),
    ...deniedDomainWarnings(settings),
    ...webServerWarnings(settings),
  ];
}

function placeholderWarnings({ access }: ConfigOptions): string[] {
  return access.flatMap(({ jid }, index) =>
    jid
      .filter((pattern) => pattern.includes(DOMAIN_PLACEHOLDER) && !/(?:@|\\\.)\{domain\}\$/.test(pattern))
      .map(
        (pattern) =>
          `access[${index}]: the pattern ${pattern} also matches accounts at other domains. Write '@{domain}$'.`,
      ),
  );
}

/** Warns if two components of one domain have different links. Then some links depend on the order of the components in the file. */
function sharedDomainWarnings(settings: ConfigOptions): string[] {
  const links = createHostedLinks(settings);
  const first = new Map<string, string>();
  return settings.component.flatMap((one) =>
    domainsOf(one).flatMap((domain) => {
      const other = first.get(domain);
      if (other === undefined) {
        first.set(domain, one.jid);
        return [];
      }
      if (isDeepStrictEqual(links.forComponent(other, domain), links.forComponent(one.jid, domain)))
        return [];
      return [
        `component: ${other} and ${one.jid} both serve ${domain}, with different links. The slot API, messages and commands use ` +
          `those of ${other}. Set domains of both components, so that each domain is in one of them.`,
      ];
    }),
  );
}

/** Warns about URLs that were probably pasted into the wrong component. */
function swappedUrlWarnings({ component }: ConfigOptions): string[] {
  return component.flatMap(({ jid, public_url, download_url }, index) =>
    Object.entries({ public_url, download_url }).flatMap(([key, url]) => {
      const host = url === null ? undefined : new URL(url).hostname;
      const other = component.find((one) => one.jid === host && one.jid !== jid);
      return other === undefined
        ? []
        : [
            `component[${index}].${key} of ${jid} is at ${host}, the name of another component. Give each its URL.`,
          ];
    }),
  );
}

function deniedDomainWarnings({ access, component }: ConfigOptions): string[] {
  if (access.length === 0) return [];
  const patterns = access
    .filter(({ deny }) => !deny)
    .flatMap(({ jid }) => jid.map((pattern) => expandDomains(pattern, component)));
  return component.flatMap((one) =>
    domainsOf(one).flatMap((domain) =>
      patterns.some((pattern) => mayMean(pattern, domain))
        ? []
        : [`component ${one.jid}: no rule of access allows users of ${domain}. Add {jid: '@{domain}$'}.`],
    ),
  );
}

/** Returns true if the pattern matches all accounts of the domain, or contains the domain, as a pattern for one account does. */
function mayMean(pattern: string, domain: string): boolean {
  return (
    RE2JS.compile(pattern).matcher(`someone@${domain}`).find() ||
    pattern.replaceAll('\\', '').includes(domain)
  );
}

function webServerWarnings({ component, downloads, download_url }: ConfigOptions): string[] {
  if (downloads.via !== 'webserver') return [];
  return component
    .filter((one) => one.public_url !== null && one.download_url === null)
    .map(
      ({ jid }) =>
        `component ${jid}: its download links begin with download_url (${download_url}), because the web server sends the files. ` +
        'For links on its own name set its download_url too.',
    );
}
