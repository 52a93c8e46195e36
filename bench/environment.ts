import { isInstalled, type PeerName } from '../test/real/peers/peers.ts';
import { type CertificateFiles, writeCertificate } from '../test/support/self-signed-certificate.ts';
import type { BenchFolders } from './bench-folders.ts';
import { checkAnswers } from './check-answers.ts';
import type { BenchOptions } from './options.ts';
import { ejabberdServer } from './servers/ejabberd.ts';
import type { FileServer } from './servers/file-server.ts';
import { FILER, filerServer } from './servers/filer.ts';
import { nginxServer } from './servers/nginx.ts';
import { type PorterOptions, porterServer } from './servers/porter.ts';
import { prosodyServer } from './servers/prosody.ts';
import { TOKEN, type XmppServer } from './servers/xmpp-server.ts';

type ComparedPeer = PeerName & ('nginx' | 'ejabberd' | 'prosody');

/** All servers of the benchmark. A server starts when the first case needs it, and keeps running. */
export class BenchEnvironment {
  readonly options: BenchOptions;
  /** The folders for the files of the servers. */
  readonly folders: BenchFolders;
  /** Reports progress. */
  readonly log: (line: string) => void;
  #certificate: Promise<CertificateFiles> | undefined;
  readonly #started = new Map<string, Promise<FileServer>>();

  constructor(options: BenchOptions, folders: BenchFolders, log: (line: string) => void) {
    this.options = options;
    this.folders = folders;
    this.log = log;
  }

  /** Starts servers to compare with. Leaves out, and reports, those that are missing, fail to start or answer wrongly. */
  async peers(...names: readonly ComparedPeer[]): Promise<FileServer[]> {
    const found: FileServer[] = [];
    for (const name of names.filter((peer) => isInstalled(peer))) {
      try {
        found.push(await this[name]());
      } catch (error) {
        this.log(`  ${name} is left out: ${error instanceof Error ? error.message : String(error)}`);
      }
    }
    return found;
  }

  /** Porter with `sync: false`; its peers do not flush either. */
  porter(): Promise<FileServer> {
    return this.#porter({ name: 'Porter', folder: this.folders.folder, sync: false });
  }

  /** Porter with `sync: true`, on a disk, because fsync costs nothing in memory. */
  durablePorter(): Promise<FileServer> {
    const { disk, diskFileSystem } = this.folders;
    return this.#porter({ name: `Porter, sync: true (${diskFileSystem})`, folder: disk, sync: true });
  }

  /** Porter as the external component of an XMPP server, with messages enabled. */
  porterWithXmppServer({ name, component, account }: XmppServer): Promise<FileServer> {
    const { folder } = this.folders;
    const messages = { ...TOKEN, server: `127.0.0.1:${account.port}` };
    return this.#porter({ name: `Porter beside ${name}`, folder, sync: false, component, messages });
  }

  /** Like `porter`, with several workers. */
  porterWithWorkers(workers: number): Promise<FileServer> {
    const { folder } = this.folders;
    return this.#porter({ name: `Porter, ${workers} workers`, folder, sync: false, workers });
  }

  /** A Porter that no other case has used. */
  freshPorter(name: string): Promise<FileServer> {
    return this.#porter({ name, folder: this.folders.folder, sync: false });
  }

  /** A Porter that accepts this many connections of one client. */
  porterForConnections(connections: number): Promise<FileServer> {
    const { folder } = this.folders;
    return this.#porter({ name: 'Porter with connections', folder, sync: false, connections });
  }

  nginx(): Promise<FileServer> {
    return this.#once('nginx', () => nginxServer(this.folders.folder));
  }

  /** Porter and nginx with TLS, and one certificate for both. */
  async tlsServers(): Promise<FileServer[]> {
    const { folder } = this.folders;
    this.#certificate ??= writeCertificate(folder, ['localhost']);
    const tls = await this.#certificate;
    return [
      await this.#porter({ name: 'Porter', folder, sync: false, tls }),
      await this.#once('nginx with TLS', () => nginxServer(folder, tls)),
    ];
  }

  /** prosody-filer, if `FILER` names it. */
  async filer(): Promise<FileServer[]> {
    if (FILER === undefined) return [];
    return [await this.#once('prosody-filer', () => filerServer(this.folders.folder))];
  }

  prosody(): Promise<XmppServer> {
    return this.#once('Prosody', () => prosodyServer(this.folders.folder));
  }

  ejabberd(): Promise<XmppServer> {
    return this.#once('ejabberd', () => ejabberdServer(this.folders.folder));
  }

  #porter(options: PorterOptions): Promise<FileServer> {
    const key = options.tls ? `${options.name} with TLS` : options.name;
    return this.#once(key, () => porterServer(options));
  }

  /** Starts each server once, and checks its answers first. */
  #once<T extends FileServer>(name: string, start: () => Promise<T>): Promise<T> {
    const running = this.#started.get(name);
    if (running !== undefined) return running as Promise<T>;
    this.log(`  starting ${name} and checking its answers`);
    const server = start().then(async (started) => {
      await checkAnswers(started);
      return started;
    });
    this.#started.set(name, server);
    return server;
  }
}
