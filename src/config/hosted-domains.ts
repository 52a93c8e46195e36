/** One entry of `component`, as far as it tells which domains are hosted and where their links point. */
export interface HostedComponent {
  readonly jid: string;
  /** `component[].domains`; null for the default. */
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

/** Base URLs of links, without a trailing slash. Null: the host of each request is used. */
export interface LinkBases {
  /** Of PUT links. */
  readonly putBase: string | null;
  /** Of GET links. */
  readonly getBase: string | null;
}

/** Tells which base URLs the links of a domain have. */
export interface HostedLinks {
  /**
   * Links of slots that this owner requests at this component. Those of the owner's domain win: with several components in its
   * list a client may choose any of them.
   */
  forComponent(jid: string, owner: string): LinkBases;
  /** Links of an owner wherever no component is addressed: slot API, messages, the command line. */
  forOwner(owner: string): LinkBases;
  /** The distinct bases, those of the service first. */
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

export function createHostedLinks({
  public_url,
  download_url,
  component,
  downloads,
}: HostingOptions): HostedLinks {
  const service = { putBase: public_url, getBase: download_url ?? public_url };
  const bases = component.map((one) => basesOf(one, service, downloads.via === 'webserver'));
  // Without URLs of the service, strangers get the links of the first component.
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
 * A component with a URL has its download links there too, unless it names another URL for them. Only where a web server
 * serves the files itself they stay at the URL of the service: Porter does not serve them at `public_url`.
 */
function basesOf(one: HostedComponent, service: LinkBases, viaWebServer: boolean): LinkBases {
  const inherited = viaWebServer ? service.getBase : (one.public_url ?? service.getBase);
  return { putBase: one.public_url ?? service.putBase, getBase: one.download_url ?? inherited };
}

function distinct(bases: readonly LinkBases[]): LinkBases[] {
  const keyOf = ({ putBase, getBase }: LinkBases) => `${putBase} ${getBase}`;
  return [...new Map(bases.map((one) => [keyOf(one), one])).values()];
}

/** Stands for all hosted domains in a pattern of `access`. RE2 takes it for plain text, which no JID contains. */
export const DOMAIN_PLACEHOLDER = '{domain}';

/** Replaces `{domain}` in a pattern by a group of all hosted domains. */
export function expandDomains(pattern: string, component: readonly HostedComponent[]): string {
  if (!pattern.includes(DOMAIN_PLACEHOLDER)) return pattern;
  const domains = [...new Set(component.flatMap(domainsOf))].map((domain) =>
    domain.replace(/[.*+?^${}()|[\]\\-]/g, '\\$&'),
  );
  return pattern.replaceAll(DOMAIN_PLACEHOLDER, () => `(?:${domains.join('|')})`);
}
