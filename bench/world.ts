import { isThere, type PeerName } from '../test/real/peers.ts';
import { checkAnswers } from './check.ts';
import type { BenchOptions } from './options.ts';
import type { Place } from './place.ts';
import { ejabberdServer } from './servers/ejabberd.ts';
import type { FileServer } from './servers/file-server.ts';
import { nginxServer } from './servers/nginx.ts';
import { type PorterOptions, porterServer } from './servers/porter.ts';
import { prosodyServer } from './servers/prosody.ts';
import { TOKEN, type XmppServer } from './servers/xmpp-server.ts';

type Rival = PeerName & ('nginx' | 'ejabberd' | 'prosody');

/** Everything that runs for the benchmark. Servers start when the first case asks for them, and stay. */
export class World {
  readonly options: BenchOptions;
  /** Where servers keep their files. */
  readonly place: Place;
  /** Tells how far it is. */
  readonly say: (line: string) => void;
  readonly #started = new Map<string, Promise<FileServer>>();

  constructor(options: BenchOptions, place: Place, say: (line: string) => void) {
    this.options = options;
    this.place = place;
    this.say = say;
  }

  /** Servers to compare with: those that are not here, don't start or answer wrongly are left out, and named. */
  async rivals(...names: readonly Rival[]): Promise<FileServer[]> {
    const found: FileServer[] = [];
    for (const name of names.filter((peer) => isThere(peer))) {
      try {
        found.push(await this[name]());
      } catch (error) {
        this.say(`  ${name} is left out: ${error instanceof Error ? error.message : String(error)}`);
      }
    }
    return found;
  }

  /** `sync: false`, as its peers do it. */
  porter(): Promise<FileServer> {
    return this.#porter({ name: 'Porter', folder: this.place.folder, sync: false });
  }

  /** `sync: true`, and on a disk, because in memory an fsync costs nothing. */
  durablePorter(): Promise<FileServer> {
    const { disk, diskKind } = this.place;
    return this.#porter({ name: `Porter, sync: true (${diskKind})`, folder: disk, sync: true });
  }

  /** As the external component of an XMPP server, with messages through it. */
  porterBeside({ name, component, account }: XmppServer): Promise<FileServer> {
    const { folder } = this.place;
    const messages = { ...TOKEN, server: `127.0.0.1:${account.port}` };
    return this.#porter({ name: `Porter beside ${name}`, folder, sync: false, component, messages });
  }

  /** As `porter`, in so many processes. */
  crewedPorter(workers: number): Promise<FileServer> {
    const { folder } = this.place;
    return this.#porter({ name: `Porter, ${workers} workers`, folder, sync: false, workers });
  }

  /** One that nobody else has used. */
  freshPorter(name: string): Promise<FileServer> {
    return this.#porter({ name, folder: this.place.folder, sync: false });
  }

  nginx(): Promise<FileServer> {
    return this.#once('nginx', () => nginxServer(this.place.folder));
  }

  prosody(): Promise<XmppServer> {
    return this.#once('Prosody', () => prosodyServer(this.place.folder));
  }

  ejabberd(): Promise<XmppServer> {
    return this.#once('ejabberd', () => ejabberdServer(this.place.folder));
  }

  #porter(options: PorterOptions): Promise<FileServer> {
    return this.#once(options.name, () => porterServer(options));
  }

  /** Nobody gets a server that gives wrong answers. */
  #once<T extends FileServer>(name: string, start: () => Promise<T>): Promise<T> {
    const known = this.#started.get(name);
    if (known !== undefined) return known as Promise<T>;
    this.say(`  starting ${name} and checking its answers`);
    const server = start().then(async (started) => {
      await checkAnswers(started);
      return started;
    });
    this.#started.set(name, server);
    return server;
  }
}
