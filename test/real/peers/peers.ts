import { accessSync, constants } from 'node:fs';
import { delimiter, join } from 'node:path';

interface Peer {
  /** Debian 12 packages. */
  readonly packages: readonly string[];
  /** What must be there for the peer to be usable: a program, or a file by its full path. */
  readonly proof: string;
}

/** Every real program that tests talk to, once. `npm test` installs what is missing where it can. */
export const peers = {
  prosody: { packages: ['prosody', 'prosody-modules', 'lua-unbound', 'lua-sec'], proof: 'prosody' },
  // Named by a file that lies at the same place on every architecture.
  'lua-dbi-sqlite3': { packages: ['lua-dbi-sqlite3'], proof: '/usr/share/doc/lua-dbi-sqlite3/copyright' },
  ejabberd: { packages: ['ejabberd'], proof: 'ejabberdctl' },
  slixmpp: {
    packages: ['python3-slixmpp', 'python3-aiohttp'],
    proof: '/usr/lib/python3/dist-packages/slixmpp/__init__.py',
  },
  'go-sendxmpp': { packages: ['go-sendxmpp'], proof: 'go-sendxmpp' },
  profanity: { packages: ['profanity'], proof: 'profanity' },
  tmux: { packages: ['tmux'], proof: 'tmux' },
  nginx: { packages: ['nginx'], proof: 'nginx' },
  apache: { packages: ['apache2'], proof: 'apache2' },
  xsendfile: { packages: ['libapache2-mod-xsendfile'], proof: '/usr/lib/apache2/modules/mod_xsendfile.so' },
  lighttpd: { packages: ['lighttpd', 'lighttpd-mod-openssl'], proof: '/usr/lib/lighttpd/mod_openssl.so' },
  haproxy: { packages: ['haproxy'], proof: 'haproxy' },
  caddy: { packages: ['caddy'], proof: 'caddy' },
  curl: { packages: ['curl'], proof: 'curl' },
  // Each Debian has another version in the path; tests look for it.
  postgresql: { packages: ['postgresql'], proof: 'psql' },
  // A monitor, a store and a gateway make an S3 server.
  ceph: { packages: ['ceph-mon', 'ceph-osd', 'radosgw'], proof: 'radosgw' },
  systemd: { packages: ['systemd'], proof: 'systemd-analyze' },
  alertmanager: { packages: ['prometheus-alertmanager'], proof: 'prometheus-alertmanager' },
  wrk: { packages: ['wrk'], proof: 'wrk' },
} as const satisfies Record<string, Peer>;

export type PeerName = keyof typeof peers;

/** Debian keeps servers in sbin, which is not on everybody's PATH. */
const FOLDERS = [...(process.env.PATH ?? '').split(delimiter), '/usr/sbin', '/sbin'];

export function isInstalled(name: PeerName): boolean {
  const { proof } = peers[name];
  return proof.startsWith('/')
    ? isReadable(proof)
    : FOLDERS.some((folder) => isReadable(join(folder, proof)));
}

function isReadable(path: string): boolean {
  try {
    accessSync(path, constants.R_OK);
    return true;
  } catch {
    return false;
  }
}

/**
 * For the `skip` option of a test: false where all these peers are there, else the reason. With
 * `PORTER_REQUIRE_PEERS=1`, as in CI, it throws instead, so that nothing quietly does not run.
 */
export function needs(...names: readonly PeerName[]): string | false {
  const missing = names.filter((name) => !isInstalled(name));
  if (missing.length === 0) return false;
  const packages = missing.flatMap((name) => peers[name].packages).join(' ');
  const reason = `needs ${missing.join(', ')} (Debian: apt-get install ${packages})`;
  if (process.env.PORTER_REQUIRE_PEERS === '1')
    throw new Error(`${reason}; PORTER_REQUIRE_PEERS=1 forbids to skip`);
  return reason;
}
