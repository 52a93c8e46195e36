import { spawnSync } from 'node:child_process';
import { appendFileSync, cpSync, existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { homedir, tmpdir } from 'node:os';
import { join } from 'node:path';
import { HOST_APT } from '../real/peers/install-peers.ts';

const PACKAGES = ['prosody', 'prosody-modules', 'lua-unbound', 'lua-sec', 'ejabberd', 'openssl'];
/** A file that marks a complete installation. */
const COMPLETE = '.complete';
const CACHE = join(process.env.XDG_CACHE_HOME ?? join(homedir(), '.cache'), 'porter-xmpp-servers');

/** A Debian release in a folder, with its Prosody and ejabberd. Shares `/proc`, `/dev`, `/tmp` and the network with this system. */
export interface DebianRoot {
  readonly path: string;
  /** Undoes the mounts. The folder stays, and the next run only updates it. */
  close(): void;
}

/**
 * Installs or updates the release, such as `sid`. Needs root and an archive of Debian; downloads 220 MB the first time. Throws an
 * `Error` with the reason if that is not possible, or not done within `seconds`.
 */
export function openDebianRoot(release: string, seconds: number): DebianRoot {
  const path = join(CACHE, release);
  const runner = createRunner(seconds);
  const { run, apt } = runner;
  if (process.getuid?.() !== 0) throw new Error('Only root can install it.');
  // Those of a run that was killed. Otherwise a new installation would delete files of this system.
  unmountAll(path);
  if (!existsSync(join(path, COMPLETE))) install(runner, release, path);
  const mounts = ['/proc', '/dev', tmpdir()];
  const close = () => unmountAll(path);
  process.once('exit', close);
  for (const folder of mounts) {
    mkdirSync(join(path, folder), { recursive: true });
    run('mount', '--bind', folder, join(path, folder));
  }
  try {
    apt(['chroot', path], 'update');
    apt(['chroot', path], 'install', '--no-install-recommends', ...PACKAGES);
  } catch (error) {
    close();
    throw error;
  }
  return { path, close };
}

/** Throws if something stays mounted below the folder. */
function unmountAll(path: string): void {
  const mounted = () =>
    readFileSync('/proc/mounts', 'utf8')
      .split('\n')
      .flatMap((line) => line.split(' ')[1] ?? [])
      .filter((folder) => folder.startsWith(`${path}/`));
  for (const folder of mounted().toReversed()) spawnSync('umount', ['--lazy', folder]);
  const [left] = mounted();
  if (left !== undefined) throw new Error(`${left} cannot be unmounted. Run: umount ${left}`);
}

function install({ run, apt }: Runner, release: string, path: string): void {
  console.log(`Installing Debian ${release} into ${path}`);
  rmSync(path, { recursive: true, force: true });
  mkdirSync(CACHE, { recursive: true });
  if (!existsSync('/usr/sbin/debootstrap')) {
    apt(HOST_APT, 'update');
    apt(HOST_APT, 'install', '--no-install-recommends', 'debootstrap');
  }
  run('debootstrap', '--variant=minbase', '--include=ca-certificates', release, path, archive());
  // Debian starts a server as soon as it is installed; this policy prevents that.
  writeFileSync(join(path, 'usr/sbin/policy-rc.d'), '#!/bin/sh\nexit 101\n', { mode: 0o755 });
  cpSync('/etc/apt/apt.conf.d', join(path, 'etc/apt/apt.conf.d'), { recursive: true });
  cpSync('/etc/resolv.conf', join(path, 'etc/resolv.conf'), { dereference: true });
  writeFileSync(join(path, 'etc/hosts'), '127.0.0.1 localhost\n');
  writeFileSync(join(path, COMPLETE), '');
}

/** The archive that this system uses. */
function archive(): string {
  const { stdout } = spawnSync('apt-get', ['indextargets', '--format', '$(SITE)'], { encoding: 'utf8' });
  return stdout.split('\n').find((site) => /\/debian\/?$/.test(site)) ?? 'http://deb.debian.org/debian';
}

interface Runner {
  /** Throws with the end of the output if the program fails. The whole output goes to a file. */
  run(program: string, ...args: readonly string[]): void;
  /** `system` is the command before apt-get. */
  apt(system: readonly string[], ...args: readonly string[]): void;
}

/** All programs together have so many seconds. */
function createRunner(seconds: number): Runner {
  const deadline = performance.now() + seconds * 1000;
  const run = (program: string, ...args: readonly string[]) => {
    const secondsLeft = Math.max(1, Math.ceil((deadline - performance.now()) / 1000));
    // `timeout` also ends the programs that this one has started.
    const limit = ['-k', '5', String(secondsLeft), program, ...args];
    const { status, stdout, stderr, error } = spawnSync('timeout', limit, { encoding: 'utf8' });
    const output = `${stdout ?? ''}${stderr ?? ''}`;
    mkdirSync(CACHE, { recursive: true });
    appendFileSync(join(CACHE, 'install.log'), `\n$ ${program} ${args.join(' ')}\n${output}`);
    if (status === 0) return;
    if (status === 124) throw new Error(`${program} was not done within ${seconds} s.`);
    throw new Error(`${program} ${args[0]} failed: ${error?.message ?? output.trim().slice(-500)}`);
  };
  const apt = (system: readonly string[], ...args: readonly string[]) => {
    const quiet = ['-qq', '-y', '-o', 'Dpkg::Use-Pty=0'];
    const [program = '', ...others] = [
      ...system,
      'env',
      'DEBIAN_FRONTEND=noninteractive',
      'apt-get',
      ...quiet,
    ];
    run(program, ...others, ...args);
  };
  return { run, apt };
}
