import { randomId } from '../../base/ids.ts';

/** XMPP servers that `init` knows the words of. */
export const xmppServerKinds = ['prosody', 'ejabberd', 'component'] as const;
export type XmppServerKind = (typeof xmppServerKinds)[number];

/** What the config of Porter and that of the XMPP server have to agree on. */
export interface InitPlan {
  readonly serverKind: XmppServerKind;
  /** Of the users. */
  readonly domain: string;
  /** JID of the component. */
  readonly componentJid: string;
  readonly secret: string;
  readonly componentPort: number;
  readonly publicUrl: string;
  /** For a trial on one machine: no TLS, no DNS. */
  readonly localTrial: boolean;
}

export const DEFAULT_HTTP_PORT = 5050;
const COMPONENT_PORT = 5347;

export function createInitPlan(serverKind: XmppServerKind, domain: string): InitPlan {
  const localTrial = domain === 'localhost' || domain.endsWith('.localhost');
  const componentJid = `upload.${domain}`;
  const publicUrl = localTrial ? `http://127.0.0.1:${DEFAULT_HTTP_PORT}` : `https://${componentJid}`;
  return {
    serverKind,
    domain,
    componentJid,
    secret: randomId(),
    componentPort: COMPONENT_PORT,
    publicUrl,
    localTrial,
  };
}
