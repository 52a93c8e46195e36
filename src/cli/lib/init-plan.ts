import { randomId } from '../../base/ids.ts';

/** XMPP servers for which `init` prints config lines; `component` stands for all others. */
export const xmppServerKinds = ['prosody', 'ejabberd', 'component'] as const;
export type XmppServerKind = (typeof xmppServerKinds)[number];

/** The settings on which Porter's config and the XMPP server's config must agree. */
export interface InitPlan {
  readonly serverKind: XmppServerKind;
  /** Domain of the users. */
  readonly domain: string;
  readonly componentJid: string;
  readonly secret: string;
  readonly componentPort: number;
  readonly publicUrl: string;
  /** The folder of database and files; relative ones start at the folder of the config file. */
  readonly dataFolder: string;
  /** A trial on one machine, without TLS and DNS. */
  readonly localTrial: boolean;
}

export const DEFAULT_HTTP_PORT = 5050;
const COMPONENT_PORT = 5347;

export interface InitChoices {
  /** Default: `upload.` and the domain. */
  readonly componentJid?: string | undefined;
  readonly dataFolder?: string;
}

export function createInitPlan(
  serverKind: XmppServerKind,
  domain: string,
  { componentJid = `upload.${domain}`, dataFolder = './data' }: InitChoices = {},
): InitPlan {
  const localTrial = domain === 'localhost' || domain.endsWith('.localhost');
  const publicUrl = localTrial ? `http://127.0.0.1:${DEFAULT_HTTP_PORT}` : `https://${componentJid}`;
  return {
    serverKind,
    domain,
    componentJid,
    secret: randomId(),
    componentPort: COMPONENT_PORT,
    publicUrl,
    dataFolder,
    localTrial,
  };
}

/** Whether the component is a direct subdomain of the users' domain. Prosody lists such components by itself. */
export function isDirectSubdomain({ componentJid, domain }: InitPlan): boolean {
  return componentJid.slice(componentJid.indexOf('.') + 1) === domain;
}
