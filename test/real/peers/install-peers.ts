import { spawnSync } from 'node:child_process';
import { existsSync, rmSync, writeFileSync } from 'node:fs';
import { isInstalled, type PeerName, peers } from './peers.ts';

/** Before `apt-get` of this system, so that it waits for one that another process of the tests runs. */
export const HOST_APT = ['flock', '/run/lock/porter-tests-apt'] as const;

const POLICY = '/usr/sbin/policy-rc.d';

/** Installs missing peers with apt, if this is Debian and the user is root. Tests whose peers stay missing are skipped. */
export function installMissingPeers(): void {
  const missing = (Object.keys(peers) as PeerName[]).filter((name) => !isInstalled(name));
  if (missing.length === 0 || process.getuid?.() !== 0 || !existsSync('/etc/debian_version')) return;
  const packages = missing.flatMap((name) => peers[name].packages);
  console.log(`Installing the programs that the tests need: ${packages.join(' ')}`);
  withoutDaemons(() => {
    if (install(packages)) return;
    apt('update');
    if (install(packages)) return;
    // A package that this Debian release does not have must not prevent the others.
    const failed = missing.filter((name) => !install(peers[name].packages));
    console.log(`apt could not install ${failed.join(', ')}. Tests that need them are skipped.`);
  });
}

function install(packages: readonly string[]): boolean {
  return apt('install', '-y', '--no-install-recommends', ...packages);
}

function apt(...args: readonly string[]): boolean {
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' };
  const [program, ...before] = HOST_APT;
  const { status, stderr } = spawnSync(
    program,
    [...before, 'apt-get', '-qq', '-o', 'Dpkg::Use-Pty=0', ...args],
    { env, encoding: 'utf8' },
  );
  if (status !== 0 && stderr) console.log(stderr.trim());
  return status === 0;
}

/** Debian starts a server as soon as it is installed; this policy prevents that while apt runs. */
function withoutDaemons(work: () => void): void {
  const hasPolicy = existsSync(POLICY);
  if (!hasPolicy) writeFileSync(POLICY, '#!/bin/sh\nexit 101\n', { mode: 0o755 });
  try {
    work();
  } finally {
    if (!hasPolicy) rmSync(POLICY);
  }
}
