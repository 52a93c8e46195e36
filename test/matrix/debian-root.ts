import { spawnSync } from 'node:child_process';
import { appendFileSync, cpSync, existsSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { homedir, tmpdir } from 'node:os';
import { join } from 'node:path';

const PACKAGES = ['prosody', 'prosody-modules', 'lua-unbound', 'lua-sec', 'ejabberd', 'openssl'];
const CACHE = join(process.env.XDG_CACHE_HOME ?? join(homedir(), '.cache'), 'porter-xmpp-servers');

/** A Debian release in a folder, with its Prosody and ejabberd. Shares `/proc`, `/dev`, `/tmp` and the network with this system. */
export interface DebianRoot {
  readonly path: string;
  /** Undoes the mounts. The folder stays, and the next run only updates it. */
  close(): void;
}

/** Installs or updates the release, such as `sid`. Needs root and debootstrap; downloads 220 MB the first time. */
export function openDebianRoot(release: string): DebianRoot {
  const path = join(CACHE, release);
  if (!existsSync(join(path, 'etc/debian_version'))) install(release, path);
  const mounts = ['/proc', '/dev', tmpdir()];
  const close = () => {
    for (const folder of mounts.toReversed()) spawnSync('umount', [join(path, folder)]);
  };
  process.once('exit', close);
  for (const folder of mounts) {
    mkdirSync(join(path, folder), { recursive: true });
    run('mount', '--bind', folder, join(path, folder));
  }
  apt(path, 'update');
  apt(path, 'install', '--no-install-recommends', ...PACKAGES);
  return { path, close };
}

function install(release: string, path: string): void {
  console.log(`Installing Debian ${release} into ${path}`);
  rmSync(path, { recursive: true, force: true });
  mkdirSync(CACHE, { recursive: true });
  run('debootstrap', '--variant=minbase', '--include=ca-certificates', release, path, archive());
  // Debian starts a server as soon as it is installed; this policy prevents that.
  writeFileSync(join(path, 'usr/sbin/policy-rc.d'), '#!/bin/sh\nexit 101\n', { mode: 0o755 });
  cpSync('/etc/apt/apt.conf.d', join(path, 'etc/apt/apt.conf.d'), { recursive: true });
  cpSync('/etc/resolv.conf', join(path, 'etc/resolv.conf'), { dereference: true });
  writeFileSync(join(path, 'etc/hosts'), '127.0.0.1 localhost\n');
}

/** The archive that this system uses. */
function archive(): string {
  const { stdout } = spawnSync('apt-get', ['indextargets', '--format', '$(SITE)'], { encoding: 'utf8' });
  return stdout.split('\n').find((site) => /\/debian\/?$/.test(site)) ?? 'http://deb.debian.org/debian';
}

function apt(path: string, ...args: readonly string[]): void {
  const quiet = ['-qq', '-y', '-o', 'Dpkg::Use-Pty=0'];
  run('chroot', path, 'env', 'DEBIAN_FRONTEND=noninteractive', 'apt-get', ...quiet, ...args);
}

/** Throws with the end of the output if the program fails. The whole output goes to a file. */
function run(program: string, ...args: readonly string[]): void {
  const { status, stdout, stderr, error } = spawnSync(program, args, { encoding: 'utf8' });
  const output = `${stdout ?? ''}${stderr ?? ''}`;
  appendFileSync(join(CACHE, 'install.log'), `\n$ ${program} ${args.join(' ')}\n${output}`);
  if (status === 0) return;
  throw new Error(`${program} ${args[0]} failed: ${error?.message ?? output.trim().slice(-500)}`);
}
