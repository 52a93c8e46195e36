import type { CertificateFiles } from '../../support/self-signed-certificate.ts';

export interface ComponentEntry {
  readonly jid: string;
  readonly secret: string;
}

export interface XmppServerOptions {
  /** Default: `localhost`. */
  readonly domain?: string;
  /** External components, which the domain lists in its items. */
  readonly components?: readonly ComponentEntry[];
  /** The output of `porter init` for this server, inserted into the config. */
  readonly initSnippet?: string;
  /** The port for components. Default: a free port. */
  readonly componentPort?: number;
  /** Bytes of the largest stanza of a client or component. Default: that of the server. */
  readonly stanzaLimit?: number | undefined;
  /** If set, clients must use TLS. */
  readonly tls?: CertificateFiles;
}

/** A real XMPP server in a temp folder on free ports of 127.0.0.1. */
export interface XmppServer {
  readonly domain: string;
  readonly clientPort: number;
  readonly componentPort: number;
  register(user: string, password: string): Promise<void>;
  /** Kills the server with SIGKILL. */
  kill(): Promise<void>;
  /** Starts the server again after `kill`, on the same ports and with the same accounts. */
  start(): Promise<void>;
  log(): string;
  /** Stops the server and removes its folder. */
  stop(): Promise<void>;
}
