import { existsSync, mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import type { Architecture } from './node-runtime.ts';
import { run } from './run.ts';

/** The base of the image. */
export const IMAGE_SUITE = 'trixie';
/** An older release, whose libraries run on more systems. */
export const TARBALL_SUITE = 'bookworm';

const KEYRING = '/usr/share/keyrings/debian-archive-keyring.gpg';
const ARCHIVE = process.env.PORTER_DEBIAN_ARCHIVE ?? 'http://deb.debian.org/debian';

export interface DebianPackages {
  /** A folder for downloads that are used again. */
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

/** Downloads what is missing and returns the folder of the `.deb` files. */
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
  for (const name of ['packages', 'lists/partial', 'archives/partial'])
    mkdirSync(join(state, name), { recursive: true });
  for (const name of ['status', 'apt.conf']) writeFileSync(join(state, name), '');
  writeFileSync(join(state, 'sources.list'), `deb [signed-by=${KEYRING}] ${ARCHIVE} ${suite} main\n`);
  const options = [
    `APT::Architecture=${architecture}`,
    `APT::Architectures=${architecture}`,
    // The download must work as any user, also where `_apt` cannot write.
    'APT::Sandbox::User=root',
    `Dir::State::status=${join(state, 'status')}`,
    `Dir::State::Lists=${join(state, 'lists')}`,
    `Dir::Cache=${state}`,
    `Dir::Etc::SourceList=${join(state, 'sources.list')}`,
    'Dir::Etc::SourceParts=/dev/null',
  ].flatMap((option) => ['-o', option]);
  run('apt-get', [...options, '-qq', 'update']);
  run('apt-get', [...options, '-qq', 'download', ...names], { cwd: folder });
  return folder;
}

/** Returns the file name of a status entry, as image scanners look for it in /var/lib/dpkg/status.d. */
export function statusFileName({ name }: DebianPackage): string {
  return basename(name);
}
