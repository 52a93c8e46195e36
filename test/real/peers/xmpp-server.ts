import type { CertificateFiles } from '../../support/self-signed-certificate.ts';

export interface ComponentEntry {
  readonly jid: string;
  readonly secret: string;
}

export interface XmppServerOptions {
  /** `localhost` where nothing else is said. */
  readonly domain?: string;
  /** Taken in, and announced among the items of the domain. */
  readonly components?: readonly ComponentEntry[];
  /** What `porter init` prints for this server, put where it says. */
  readonly initSnippet?: string;
  /** Where it takes components; a free port where nothing else is said. */
  readonly componentPort?: number;
  /** With it, clients have to use TLS. */
  readonly tls?: CertificateFiles;
}

/** A real XMPP server in a temp folder on free ports of 127.0.0.1. */
export interface XmppServer {
  readonly domain: string;
  readonly clientPort: number;
  readonly componentPort: number;
  register(user: string, password: string): Promise<void>;
  /** Kills it, as a power cut would. */
  kill(): Promise<void>;
  /** After a crash: on the same ports, with the same accounts. */
  start(): Promise<void>;
  log(): string;
  /** Ends it and removes its folder. */
  stop(): Promise<void>;
}
