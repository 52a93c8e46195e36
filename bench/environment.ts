import { isInstalled, type PeerName } from '../test/real/peers/peers.ts';
import type { BenchFolders } from './bench-folders.ts';
import { checkAnswers } from './check-answers.ts';
import type { BenchOptions } from './options.ts';
import { ejabberdServer } from './servers/ejabberd.ts';
import type { FileServer } from './servers/file-server.ts';
import { nginxServer } from './servers/nginx.ts';
import { type PorterOptions, porterServer } from './servers/porter.ts';
import { prosodyServer } from './servers/prosody.ts';
import { TOKEN, type XmppServer } from './servers/xmpp-server.ts';

type Rival = PeerName & ('nginx' | 'ejabberd' | 'prosody');

/** Everything that runs for the benchmark. Servers start when the first case asks for them, and stay. */
export class BenchEnvironment {
  readonly options: BenchOptions;
  /** Where servers keep their files. */
  readonly folders: BenchFolders;
  /** Tells how far it is. */
  readonly log: (line: string) => void;
  readonly #started = new Map<string, Promise<FileServer>>();

  constructor(options: BenchOptions, folders: BenchFolders, log: (line: string) => void) {
    this.options = options;
    this.folders = folders;
    this.log = log;
  }

  /** Servers to compare with: those that are not here, don't start or answer wrongly are left out, and named. */
  async peers(...names: readonly Rival[]): Promise<FileServer[]> {
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

  /** `sync: false`, as its peers do it. */
  porter(): Promise<FileServer> {
    return this.#porter({ name: 'Porter', folder: this.folders.folder, sync: false });
  }

  /** `sync: true`, and on a disk, because in memory an fsync costs nothing. */
  durablePorter(): Promise<FileServer> {
    const { disk, diskFileSystem } = this.folders;
    return this.#porter({ name: `Porter, sync: true (${diskFileSystem})`, folder: disk, sync: true });
  }

  /** As the external component of an XMPP server, with messages through it. */
  porterWithXmppServer({ name, component, account }: XmppServer): Promise<FileServer> {
    const { folder } = this.folders;
    const messages = { ...TOKEN, server: `127.0.0.1:${account.port}` };
    return this.#porter({ name: `Porter beside ${name}`, folder, sync: false, component, messages });
  }

  /** As `porter`, in so many processes. */
  porterWithWorkers(workers: number): Promise<FileServer> {
    const { folder } = this.folders;
    return this.#porter({ name: `Porter, ${workers} workers`, folder, sync: false, workers });
  }

  /** One that nobody else has used. */
  freshPorter(name: string): Promise<FileServer> {
    return this.#porter({ name, folder: this.folders.folder, sync: false });
  }

  nginx(): Promise<FileServer> {
    return this.#once('nginx', () => nginxServer(this.folders.folder));
  }

  prosody(): Promise<XmppServer> {
    return this.#once('Prosody', () => prosodyServer(this.folders.folder));
  }

  ejabberd(): Promise<XmppServer> {
    return this.#once('ejabberd', () => ejabberdServer(this.folders.folder));
  }

  #porter(options: PorterOptions): Promise<FileServer> {
    return this.#once(options.name, () => porterServer(options));
  }

  /** Nobody gets a server that gives wrong answers. */
  #once<T extends FileServer>(name: string, start: () => Promise<T>): Promise<T> {
    const known = this.#started.get(name);
    if (known !== undefined) return known as Promise<T>;
    this.log(`  starting ${name} and checking its answers`);
    const server = start().then(async (started) => {
      await checkAnswers(started);
      return started;
    });
    this.#started.set(name, server);
    return server;
  }
}
