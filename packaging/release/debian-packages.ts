import { existsSync, mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import type { Architecture } from './node-runtime.ts';
import { run } from './run.ts';

/** The release of Debian whose packages the image contains. */
export const IMAGE_SUITE = 'trixie';
/** The release of Debian for the tarball: an older one, whose libraries run on more systems. */
export const TARBALL_SUITE = 'bookworm';

const KEYRING = '/usr/share/keyrings/debian-archive-keyring.gpg';
const ARCHIVE = process.env.PORTER_DEBIAN_ARCHIVE ?? 'http://deb.debian.org/debian';

export interface DebianPackages {
  /** A folder that keeps downloads for later builds. */
  readonly cache: string;
  readonly suite: string;
  readonly architecture: Architecture;
  readonly names: readonly string[];
  /** The folder into which they are unpacked. Replaced if it exists. */
  readonly root: string;
}

export interface DebianPackage {
  readonly name: string;
  readonly version: string;
  /** The fields of its control file. */
  readonly control: string;
}

/**
 * Downloads Debian packages of any architecture and unpacks them without running their scripts. apt checks the signature of the
 * release. Uses separate folders, so that the lists of the machine stay as they are.
 */
export function extractDebianPackages(packages: DebianPackages): DebianPackage[] {
  const { names, root } = packages;
  const folder = download(packages);
  rmSync(root, { recursive: true, force: true });
  mkdirSync(root, { recursive: true });
  return names.map((name) => {
    const file = readdirSync(folder).find((candidate) => candidate.startsWith(`${name}_`));
    if (file === undefined) throw new Error(`apt has not downloaded ${name}`);
    run('dpkg-deb', ['--extract', join(folder, file), root]);
    const control = run('dpkg-deb', ['--field', join(folder, file)]);
    return { name, version: /^Version: (.*)$/m.exec(control)?.[1] ?? '', control };
  });
}

/** Downloads the missing packages and returns the folder of the `.deb` files. */
function download({ cache, suite, architecture, names }: DebianPackages): string {
  const state = join(cache, `${suite}-${architecture}`);
  const folder = join(state, 'packages');
  if (
    names.every(
      (name) => existsSync(folder) && readdirSync(folder).some((file) => file.startsWith(`${name}_`)),
    )
  ) {
    return folder;
  }
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(state, 'status'), '');
  const options = prepareApt(state, suite, architecture, join(state, 'status'));
  run('apt-get', [...options, '-qq', 'download', ...names], { cwd: folder });
  return folder;
}

/** Updates the package lists in `state`. Returns the options with which apt uses only these lists, and none of this machine. */
function prepareApt(state: string, suite: string, architecture: Architecture, status: string): string[] {
  for (const name of ['lists/partial', 'archives/partial']) mkdirSync(join(state, name), { recursive: true });
  writeFileSync(join(state, 'sources.list'), `deb [signed-by=${KEYRING}] ${ARCHIVE} ${suite} main\n`);
  const options = [
    `APT::Architecture=${architecture}`,
    `APT::Architectures=${architecture}`,
    // The download must work as any user, also if `_apt` cannot write to the folder.
    'APT::Sandbox::User=root',
    `Dir::State::status=${status}`,
    `Dir::State::Lists=${join(state, 'lists')}`,
    `Dir::Cache=${state}`,
    `Dir::Etc::SourceList=${join(state, 'sources.list')}`,
    'Dir::Etc::SourceParts=/dev/null',
  ].flatMap((option) => ['-o', option]);
  run('apt-get', [...options, '-qq', 'update']);
  return options;
}

export interface MissingPackages {
  /** A folder for the lists and the downloads. */
  readonly state: string;
  readonly suite: string;
  readonly names: readonly string[];
  /** The root of a Debian system of amd64. It is only read. */
  readonly system: string;
}

/** Downloads packages and those of their dependencies that a system does not have. Returns the folder of the `.deb` files. */
export function downloadMissingPackages({ state, suite, names, system }: MissingPackages): string {
  const folder = join(state, 'archives');
  if (existsSync(join(state, 'complete'))) return folder;
  const options = prepareApt(state, suite, 'amd64', join(system, 'var/lib/dpkg/status'));
  run('apt-get', [
    ...options,
    '-qq',
    '-y',
    '--no-install-recommends',
    '--download-only',
    'install',
    ...names,
  ]);
  writeFileSync(join(state, 'complete'), '');
  return folder;
}

/** Returns the file name of a status entry in /var/lib/dpkg/status.d, where image scanners look for packages. */
export function statusFileName({ name }: DebianPackage): string {
  return basename(name);
}
