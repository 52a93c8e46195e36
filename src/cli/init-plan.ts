import { randomId } from '../base/ids.ts';

/** XMPP servers that `init` knows the words of. */
export const peers = ['prosody', 'ejabberd', 'component'] as const;
export type Peer = (typeof peers)[number];

/** What the config of Porter and that of the XMPP server have to agree on. */
export interface Plan {
  readonly peer: Peer;
  /** Of the users. */
  readonly domain: string;
  /** JID of the component. */
  readonly component: string;
  readonly secret: string;
  readonly port: number;
  readonly publicUrl: string;
  /** For a trial on one machine: no TLS, no DNS. */
  readonly trial: boolean;
}

export const PORT = 5050;
const COMPONENT_PORT = 5347;

export function freshPlan(peer: Peer, domain: string): Plan {
  const trial = domain === 'localhost' || domain.endsWith('.localhost');
  const component = `upload.${domain}`;
  const publicUrl = trial ? `http://127.0.0.1:${PORT}` : `https://${component}`;
  return { peer, domain, component, secret: randomId(), port: COMPONENT_PORT, publicUrl, trial };
}
