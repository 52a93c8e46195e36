/**
 * `npm run test:packages [-- bookworm|trixie|deb|tarball|image|npm…]`: tests the packages in `release/`
 * (`npm run release -- --fast`). Creates clean systems once with debootstrap, and boots temporary copies with systemd-nspawn, without
 * network. Needs root, Debian and a few minutes: apt-get install debootstrap systemd-container.
 */
import { spawnSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { packageJson } from '../release/application.ts';
import { downloadMissingPackages } from '../release/debian-packages.ts';
import { ROOT, run } from '../release/run.ts';
import { checkReleaseBinaries } from '../release/unpack.ts';
import { testImage } from './image.ts';
import { testNpmPackage } from './npm.ts';
import { previousPackage } from './previous.ts';

const SUITES = ['bookworm', 'trixie'];
const KINDS = ['deb', 'tarball', 'image', 'npm'];
/** The packages of the clean systems: systemd, the dependencies of the package, and curl as the client. */
const INCLUDE = 'systemd,systemd-sysv,dbus,libatomic1,curl';
/** An XMPP server and a client, which the test installs after Porter. */
const XMPP_PACKAGES = ['prosody', 'python3-slixmpp', 'python3-aiohttp'];
const XMPP_CLIENT = join(ROOT, 'test/real/peers/slixmpp_client.py');

const words = process.argv.slice(2);
const wanted = (name: string, group: readonly string[]) =>
  !words.some((word) => group.includes(word)) || words.includes(name);
const release = join(ROOT, 'release');
const roots = process.env.PORTER_TEST_ROOTS ?? join(release, 'cache/roots');

const unmatched = words.filter((word) => ![...SUITES, ...KINDS].includes(word));
if (unmatched.length > 0) throw new Error(`Unknown: ${unmatched.join(', ')}`);

let passed = 0;
let failed = 0;
if (words.length === 0) count('the architecture of all binaries', reportBinaries());
for (const kind of KINDS.filter((name) => wanted(name, KINDS))) {
  if (kind === 'image') {
    count('image', testImage(findPackage(/-oci\.tar$/), join(release, 'work-image')));
    continue;
  }
  if (kind === 'npm') {
    const cache = join(release, 'cache');
    count(
      'npm',
      await testNpmPackage(findPackage(/^xmpp-porter-.*\.tgz$/), join(release, 'work-npm'), cache),
    );
    continue;
  }
  for (const suite of SUITES.filter((name) => wanted(name, SUITES)))
    count(`${kind} on ${suite}`, testInstall(kind, suite));
}
console.log(`\n${passed} passed, ${failed} failed`);
process.exitCode = failed === 0 ? 0 : 1;

function count(name: string, ok: boolean): void {
  console.log(`${ok ? 'ok    ' : 'FAILED'} ${name}`);
  if (ok) passed += 1;
  else failed += 1;
}

function reportBinaries(): boolean {
  try {
    for (const line of checkReleaseBinaries(release, join(release, 'work-binaries')))
      console.log(`   ${line}`);
    return true;
  } catch (error) {
    console.log(error);
    return false;
  }
}

function findPackage(pattern: RegExp): string {
  const name = readdirSync(release).find((file) => pattern.test(file));
  if (name === undefined)
    throw new Error(`No package ${pattern} in ${release}. Run: npm run release -- --fast`);
  return join(release, name);
}

/** Boots a copy of a clean system, which runs `inside.sh` and powers off. */
function testInstall(kind: string, suite: string): boolean {
  const base = makeRoot(suite);
  const machine = join(roots, `test-${kind}-${suite}`);
  rmSync(machine, { recursive: true, force: true });
  run('cp', ['-a', '--reflink=auto', base, machine]);
  const folder = join(machine, 'test');
  mkdirSync(folder);
  const current = findPackage(kind === 'deb' ? /_amd64\.deb$/ : /-x64\.tar\.gz$/);
  const previous = previousPackage(release, current, join(release, 'work-previous'));
  cpSync(current, join(folder, 'current'));
  cpSync(previous.file, join(folder, 'previous'));
  const system = { state: `${base}-xmpp`, suite, names: XMPP_PACKAGES, system: base };
  cpSync(downloadMissingPackages(system), join(folder, 'xmpp'), { recursive: true });
  cpSync(XMPP_CLIENT, join(folder, 'client.py'));
  cpSync(join(import.meta.dirname, 'inside.sh'), join(folder, 'inside.sh'));
  const unit = join(machine, 'etc/systemd/system/porter-test.service');
  writeFileSync(unit, formatTestUnit(kind, previous.version));
  run('ln', ['-s', unit.slice(machine.length), join(machine, 'etc/systemd/system/multi-user.target.wants/')]);
  boot(machine);
  const log = join(folder, 'log');
  const text = existsSync(log) ? readFileSync(log, 'utf8') : 'The system did not boot.\n';
  const ok = text.trimEnd().endsWith('PASSED');
  if (!ok) console.log(text);
  rmSync(machine, { recursive: true, force: true });
  return ok;
}

function makeRoot(suite: string): string {
  const root = join(roots, suite);
  if (existsSync(root)) return root;
  mkdirSync(roots, { recursive: true });
  const temporary = `${root}.part`;
  rmSync(temporary, { recursive: true, force: true });
  run('debootstrap', ['--variant=minbase', `--include=${INCLUDE}`, suite, temporary]);
  run('mv', [temporary, root]);
  return root;
}

function formatTestUnit(kind: string, previousVersion: string): string {
  return `[Unit]
After=systemd-user-sessions.service
[Service]
Type=oneshot
Environment=VERSION=${packageJson.version} PREVIOUS_VERSION=${previousVersion}
Environment=PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
ExecStart=sh -c 'sh /test/inside.sh ${kind} > /test/log 2>&1; systemctl poweroff --no-block'
`;
}

function boot(machine: string): void {
  // nspawn requires a tmpfs here. On machines without systemd, this folder is on a disk.
  const propagate = '/run/systemd/nspawn';
  mkdirSync(propagate, { recursive: true });
  const needsMount = run('stat', ['-f', '-c', '%T', propagate]).trim() !== 'tmpfs';
  if (needsMount) run('mount', ['-t', 'tmpfs', 'tmpfs', propagate]);
  try {
    spawnSync(
      'systemd-nspawn',
      ['-q', '-b', '-D', machine, '--register=no', '--keep-unit', '--private-network', '--console=pipe']
        // Systemd 256 and later needs this on machines with version 1 of control groups.
        .concat('--setenv=SYSTEMD_CGROUP_ENABLE_LEGACY_FORCE=1'),
      { stdio: ['ignore', 'ignore', 'inherit'], timeout: 1_200_000 },
    );
  } finally {
    if (needsMount) run('umount', [propagate]);
  }
}
