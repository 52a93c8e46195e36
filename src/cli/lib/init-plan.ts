import { randomId } from '../../base/ids.ts';

/** XMPP servers for which `init` prints config lines; `component` stands for all others. */
export const xmppServerKinds = ['prosody', 'ejabberd', 'component'] as const;
export type XmppServerKind = (typeof xmppServerKinds)[number];

/** One domain of users, and the component that serves it. */
export interface InitDomain {
  readonly domain: string;
  readonly componentJid: string;
  readonly secret: string;
  readonly publicUrl: string;
}

/** The settings on which Porter's config and the XMPP server's config must agree. */
export interface InitPlan {
  readonly serverKind: XmppServerKind;
  readonly first: InitDomain;
  /** All domains, `first` included. */
  readonly domains: readonly InitDomain[];
  readonly componentPort: number;
  /** The folder of database and files. A relative path is relative to the folder of the config file. */
  readonly dataFolder: string;
  /** True for a trial on one machine, without TLS and DNS. */
  readonly localTrial: boolean;
}

export const DEFAULT_HTTP_PORT = 5050;
const COMPONENT_PORT = 5347;

export interface InitChoices {
  /** For a single domain. Default: `upload.` and the domain. */
  readonly componentJid?: string | undefined;
  readonly dataFolder?: string;
}

/** Creates a plan with a new secret for each domain. `domains`: at least one. */
export function createInitPlan(
  serverKind: XmppServerKind,
  domains: readonly [string, ...string[]],
  { componentJid: chosenJid, dataFolder = './data' }: InitChoices = {},
): InitPlan {
  const localTrial = domains.every((domain) => domain === 'localhost' || domain.endsWith('.localhost'));
  const planDomain = (domain: string): InitDomain => {
    const componentJid = chosenJid ?? `upload.${domain}`;
    const publicUrl = localTrial ? `http://127.0.0.1:${DEFAULT_HTTP_PORT}` : `https://${componentJid}`;
    return { domain, componentJid, secret: randomId(), publicUrl };
  };
  const [first, ...others] = domains;
  const planned = planDomain(first);
  return {
    serverKind,
    first: planned,
    domains: [planned, ...others.map(planDomain)],
    componentPort: COMPONENT_PORT,
    dataFolder,
    localTrial,
  };
}

/** Returns whether the component is a direct subdomain of the users' domain. Prosody lists such components by itself. */
export function isDirectSubdomain({ componentJid, domain }: InitDomain): boolean {
  return componentJid.slice(componentJid.indexOf('.') + 1) === domain;
}
