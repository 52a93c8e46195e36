import type { Program } from '../../test/real/support/program.ts';
import type { Account } from '../load/xmpp-client.ts';
import { requestXmppSlots } from '../load/xmpp-slots.ts';
import type { FileServer } from './file-server.ts';

/** An XMPP server with its own upload module and a component entry for Porter. */
export interface XmppServer extends FileServer {
  readonly account: Account;
  /** The account that receives messages. */
  readonly reader: Account;
  /** The JID of the upload module. */
  readonly service: string;
  readonly component: { readonly jid: string; readonly secret: string; readonly server: string };
}

export const COMPONENT = { jid: 'porter.localhost', secret: 'bench' };
export const SERVICE = 'upload.localhost';
const DOMAIN = 'localhost';
export const USER = { user: 'bench', password: 'bench', domain: DOMAIN };
export const READER = { user: 'reader', password: 'reader', domain: DOMAIN };
/** The token, and the sender of its messages. */
export const TOKEN = { token: 'a-token-of-the-benchmark', from: `alerts@${COMPONENT.jid}` };

export interface XmppPorts {
  readonly client: number;
  readonly component: number;
  readonly http: number;
}

/** Describes a running server; `files` is the folder of its uploads. */
export function xmppServer(name: string, { pid }: Program, ports: XmppPorts, files: string): XmppServer {
  const account = { ...USER, port: ports.client };
  return {
    name,
    url: `http://127.0.0.1:${ports.http}`,
    files,
    pid,
    account,
    reader: { ...READER, port: ports.client },
    service: SERVICE,
    component: { ...COMPONENT, server: `127.0.0.1:${ports.component}` },
    slots: async (count, size) => (await requestXmppSlots({ account, to: SERVICE, count, size })).slots,
  };
}
