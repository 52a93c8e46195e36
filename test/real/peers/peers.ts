import { accessSync, constants } from 'node:fs';
import { delimiter, join } from 'node:path';

interface Peer {
  /** Debian 12 packages. */
  readonly packages: readonly string[];
  /** A program on the PATH, or an absolute path, that exists if the peer is installed. */
  readonly proof: string;
}

/** All real programs that tests use. `npm test` installs the missing ones if possible. */
export const peers = {
  prosody: { packages: ['prosody', 'prosody-modules', 'lua-unbound', 'lua-sec'], proof: 'prosody' },
  // This file has the same path on every architecture.
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
  chromium: { packages: ['chromium'], proof: 'chromium' },
  curl: { packages: ['curl'], proof: 'curl' },
  // The path contains the version, which differs between Debian releases.
  postgresql: { packages: ['postgresql'], proof: 'psql' },
  // An S3 server needs a monitor, an OSD and a gateway.
  ceph: { packages: ['ceph-mon', 'ceph-osd', 'radosgw'], proof: 'radosgw' },
  clamd: { packages: ['clamav-daemon'], proof: 'clamd' },
  systemd: { packages: ['systemd'], proof: 'systemd-analyze' },
  alertmanager: { packages: ['prometheus-alertmanager'], proof: 'prometheus-alertmanager' },
  promtool: { packages: ['prometheus'], proof: 'promtool' },
  wrk: { packages: ['wrk'], proof: 'wrk' },
} as const satisfies Record<string, Peer>;

export type PeerName = keyof typeof peers;

/** Debian installs servers in sbin, which is not on the PATH of every user. */
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
 * For the `skip` option of a test: returns false if all these peers are installed, otherwise the reason. Throws if
 * `PORTER_REQUIRE_PEERS=1`, as in CI, so that no test is skipped unnoticed.
 */
export function needs(...names: readonly PeerName[]): string | false {
  const missing = names.filter((name) => !isInstalled(name));
  if (missing.length === 0) return false;
  const packages = missing.flatMap((name) => peers[name].packages).join(' ');
  const reason = `needs ${missing.join(', ')} (Debian: apt-get install ${packages})`;
  if (process.env.PORTER_REQUIRE_PEERS === '1')
    throw new Error(`${reason}; PORTER_REQUIRE_PEERS=1 does not allow skipping`);
  return reason;
}
