import { spawnSync } from 'node:child_process';
import { existsSync, rmSync, writeFileSync } from 'node:fs';
import { isInstalled, type PeerName, peers } from './peers.ts';

const POLICY = '/usr/sbin/policy-rc.d';

/** On Debian as root: installs the peers that are missing. Elsewhere, and where apt fails, tests are skipped. */
export function installMissingPeers(): void {
  const missing = (Object.keys(peers) as PeerName[]).filter((name) => !isInstalled(name));
  if (missing.length === 0 || process.getuid?.() !== 0 || !existsSync('/etc/debian_version')) return;
  const packages = missing.flatMap((name) => peers[name].packages);
  console.log(`Installing what the tests talk to: ${packages.join(' ')}`);
  withoutDaemons(() => {
    if (install(packages)) return;
    apt('update');
    if (install(packages)) return;
    // One that this Debian does not have must not keep the others away.
    const left = missing.filter((name) => !install(peers[name].packages));
    console.log(`apt could not install ${left.join(', ')}; the tests that need it are skipped.`);
  });
}

function install(packages: readonly string[]): boolean {
  return apt('install', '-y', '--no-install-recommends', ...packages);
}

function apt(...args: readonly string[]): boolean {
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' };
  const { status, stderr } = spawnSync('apt-get', ['-qq', '-o', 'Dpkg::Use-Pty=0', ...args], {
    env,
    encoding: 'utf8',
  });
  if (status !== 0 && stderr) console.log(stderr.trim());
  return status === 0;
}

/** Debian starts a server as soon as it is installed; this policy forbids it while apt runs. */
function withoutDaemons(work: () => void): void {
  const theirs = existsSync(POLICY);
  if (!theirs) writeFileSync(POLICY, '#!/bin/sh\nexit 101\n', { mode: 0o755 });
  try {
    work();
  } finally {
    if (!theirs) rmSync(POLICY);
  }
}
