import type { ComponentDiscovery, DomainDiscovery, OtherService } from './discovery.ts';

/** A sentence about one domain for the admin. `fail`: no clients of any domain find the component. */
export interface DiscoveryFinding {
  readonly state: 'ok' | 'warn' | 'fail' | 'skip';
  readonly text: string;
}

/** Returns for each domain whether its clients find the component. If not, the text has the line to add to the server's config. */
export function describeDiscovery({ jid, domains }: ComponentDiscovery): DiscoveryFinding[] {
  const searched = domains.filter(({ hasUsers }) => hasUsers);
  if (searched.length === 0) {
    const text = 'Not checked: access names no domain, and allows no accounts of the parent domain.';
    return [{ state: 'skip', text }];
  }
  const isFound = domains.some(({ isListed }) => isListed);
  return searched.flatMap((domain) => describeDomain(jid, domain, isFound));
}

function describeDomain(jid: string, found: DomainDiscovery, isFoundElsewhere: boolean): DiscoveryFinding[] {
  const { domain, failure, isListed, others } = found;
  if (failure !== null) {
    return [
      { state: 'skip', text: `Not checked for ${domain}: it does not list its services (${failure}).` },
    ];
  }
  const conflicts = others.map(
    (other): DiscoveryFinding => ({ state: 'warn', text: describeOther(jid, found, other) }),
  );
  if (!isListed)
    return [{ state: isFoundElsewhere ? 'warn' : 'fail', text: describeUnlisted(jid, found) }, ...conflicts];
  if (conflicts.length > 0) return conflicts;
  return [{ state: 'ok', text: `Clients of ${domain} find it: the domain lists it.` }];
}

function describeUnlisted(jid: string, { domain, software }: DomainDiscovery): string {
  return (
    `${domain} does not list ${jid} among its services, so clients of its users offer no uploads. ` +
    `${linesFor(software)?.list(jid, domain) ?? `List ${jid} among the service discovery items of ${domain} in the config of the XMPP server.`}` +
    ' Clients notice it at their next login.'
  );
}

function describeOther(
  jid: string,
  { domain, software, isListed }: DomainDiscovery,
  other: OtherService,
): string {
  const place =
    other.jid === domain ? `${domain} itself offers` : `${domain} lists ${other.jid}, which offers`;
  const effect =
    other.isFirst || !isListed ? `clients use it instead of ${jid}` : `clients may use it instead of ${jid}`;
  return `${place} uploads too: ${effect}. ${linesFor(software)?.removal ?? 'Turn it off, or make it stop offering uploads.'}`;
}

interface ServerLines {
  readonly name: RegExp;
  readonly list: (jid: string, domain: string) => string;
  readonly removal: string;
}

const SERVERS: readonly ServerLines[] = [
  {
    // Snikket is a Prosody. Metronome has the same option.
    name: /prosody|snikket|metronome/i,
    list: (jid, domain) =>
      `In Prosody, add this to the section of VirtualHost "${domain}" and restart it: ` +
      `disco_items = { { "${jid}", "HTTP File Upload" } }`,
    removal:
      'In Prosody, remove http_file_share, http_upload or http_upload_external from modules_enabled, or the Component of this name.',
  },
  {
    name: /ejabberd/i,
    list: (jid) =>
      'In ejabberd, add this to the modules in ejabberd.yml and run ejabberdctl reload_config: ' +
      `mod_disco: {extra_domains: ["${jid}"]}`,
    removal: 'In ejabberd, remove mod_http_upload from the modules in ejabberd.yml.',
  },
];

function linesFor(software: string | null): ServerLines | undefined {
  return SERVERS.find(({ name }) => name.test(software ?? ''));
}
