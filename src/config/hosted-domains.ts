/** The options of a `component` entry that set its domains and the base URLs of their links. */
export interface HostedComponent {
  readonly jid: string;
  /** `component[].domains`. Null for the default: the JID without its first label. */
  readonly domains: readonly string[] | null;
  readonly public_url: string | null;
  readonly download_url: string | null;
}

export interface HostingOptions {
  readonly public_url: string | null;
  readonly download_url: string | null;
  readonly component: readonly HostedComponent[];
  readonly downloads: { readonly via: string };
}

/** Base URLs of links, without a trailing slash. Null if links have the host of the request. */
export interface LinkBases {
  /** Of PUT links. */
  readonly putBase: string | null;
  /** Of GET links. */
  readonly getBase: string | null;
}

/** Selects the base URLs of links by component and by the domain of the owner. */
export interface HostedLinks {
  /**
   * Returns the bases for a slot that this owner requests at this component. If the component does not serve the owner's domain,
   * returns the bases of the component that does: a client may choose any component that its server lists.
   */
  forComponent(jid: string, owner: string): LinkBases;
  /** Returns the bases for requests without a component: slot API, messages, commands. */
  forOwner(owner: string): LinkBases;
  /** The distinct bases. The first are those for owners of domains that no component serves. */
  readonly all: readonly LinkBases[];
  /** All base URLs. Their paths may precede Porter's paths. */
  readonly urls: readonly string[];
}

/** Returns the domains of the users that a component serves: by default its JID without the first label. */
export function domainsOf({ jid, domains }: Pick<HostedComponent, 'jid' | 'domains'>): readonly string[] {
  if (domains !== null) return domains;
  const dot = jid.indexOf('.');
  return dot < 0 ? [] : [jid.slice(dot + 1)];
}

/** Returns the base URLs of the configured domains. */
export function createHostedLinks({
  public_url,
  download_url,
  component,
  downloads,
}: HostingOptions): HostedLinks {
  const service = { putBase: public_url, getBase: download_url ?? public_url };
  const bases = component.map((one) => basesOf(one, service, downloads.via === 'webserver'));
  // Without a top-level `public_url`, owners of other domains get the links of the first component.
  const fallback = public_url === null ? (bases[0] ?? service) : service;
  const byJid = new Map(component.map(({ jid }, index) => [jid, bases[index] ?? fallback]));
  const byDomain = new Map<string, LinkBases>();
  component.forEach((one, index) => {
    for (const domain of [one.jid, ...domainsOf(one)])
      if (!byDomain.has(domain)) byDomain.set(domain, bases[index] ?? fallback);
  });
  const all = distinct([fallback, ...bases]);
  const serves = new Set(component.flatMap((one) => domainsOf(one).map((domain) => `${one.jid} ${domain}`)));
  return {
    forComponent(jid, owner) {
      const domain = domainOf(owner);
      const own = byJid.get(jid) ?? fallback;
      return serves.has(`${jid} ${domain}`) ? own : (byDomain.get(domain) ?? own);
    },
    forOwner: (owner) => byDomain.get(domainOf(owner)) ?? fallback,
    all,
    urls: [...new Set(all.flatMap(({ putBase, getBase }) => [putBase, getBase]))].filter(
      (url) => url !== null,
    ),
  };
}

const domainOf = (owner: string) => owner.slice(owner.lastIndexOf('@') + 1);

/**
 * Returns the bases of a component. Its download links begin with its `download_url`, else with its `public_url`, else with the URL of
 * the service. If a web server serves the files (`downloads.via: webserver`), `public_url` is left out, because Porter does not serve
 * files there.
 */
function basesOf(one: HostedComponent, service: LinkBases, viaWebServer: boolean): LinkBases {
  const inherited = viaWebServer ? service.getBase : (one.public_url ?? service.getBase);
  return { putBase: one.public_url ?? service.putBase, getBase: one.download_url ?? inherited };
}

function distinct(bases: readonly LinkBases[]): LinkBases[] {
  const keyOf = ({ putBase, getBase }: LinkBases) => `${putBase} ${getBase}`;
  return [...new Map(bases.map((one) => [keyOf(one), one])).values()];
}

/** Stands for all hosted domains in a pattern of `access`. RE2 reads it as plain text, which no JID contains. */
export const DOMAIN_PLACEHOLDER = '{domain}';

/** Replaces `{domain}` in a pattern by a group of all hosted domains. */
export function expandDomains(pattern: string, component: readonly HostedComponent[]): string {
  if (!pattern.includes(DOMAIN_PLACEHOLDER)) return pattern;
  const domains = [...new Set(component.flatMap(domainsOf))].map((domain) =>
    domain.replace(/[.*+?^${}()|[\]\\-]/g, '\\$&'),
  );
  return pattern.replaceAll(DOMAIN_PLACEHOLDER, () => `(?:${domains.join('|')})`);
}
