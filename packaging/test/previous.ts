import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { packageJson } from '../release/application.ts';
import { run } from '../release/run.ts';

/** Lower than the version of every release. */
const OLD_VERSION = '0.0.9';

export interface Previous {
  readonly file: string;
  readonly version: string;
}

/**
 * Returns the package from which the installation tests upgrade: the one in `release/previous/`, if it has the files of the last release,
 * else `current` with a lower version. Replaces `work`.
 */
export function previousPackage(release: string, current: string, work: string): Previous {
  const folder = join(release, 'previous');
  const pattern = new RegExp(
    basename(current)
      .replaceAll('.', '\\.')
      .replace(/\d+\\\.\d+\\\.\d+/, '(.+)'),
  );
  for (const name of existsSync(folder) ? readdirSync(folder) : []) {
    const version = pattern.exec(name)?.[1];
    if (version !== undefined) return { file: join(folder, name), version };
  }
  rmSync(work, { recursive: true, force: true });
  mkdirSync(work, { recursive: true });
  const lower = current.endsWith('.deb') ? lowerDeb : lowerTarball;
  return { file: lower(current, work), version: OLD_VERSION };
}

function lowerDeb(current: string, work: string): string {
  const root = join(work, 'root');
  run('dpkg-deb', ['--raw-extract', current, root]);
  replaceVersion(join(root, 'DEBIAN/control'));
  replaceVersion(join(root, 'usr/lib/porter/app/package.json'));
  const file = join(work, 'old.deb');
  run('dpkg-deb', ['--root-owner-group', '-Zgzip', '-z1', '--build', root, file]);
  return file;
}

function lowerTarball(current: string, work: string): string {
  run('tar', ['-xzf', current, '-C', work]);
  const [name = ''] = readdirSync(work);
  const lower = name.replace(packageJson.version, OLD_VERSION);
  renameSync(join(work, name), join(work, lower));
  for (const file of ['VERSION', 'lib/porter/app/package.json']) replaceVersion(join(work, lower, file));
  const file = join(work, 'old.tar.gz');
  run('tar', ['--use-compress-program=gzip -1', '-cf', file, '-C', work, lower]);
  return file;
}

/** Replaces the first occurrence of the version in a file. Throws if there is none. */
function replaceVersion(file: string): void {
  const text = readFileSync(file, 'utf8');
  if (!text.includes(packageJson.version)) throw new Error(`${file} does not contain ${packageJson.version}`);
  writeFileSync(file, text.replace(packageJson.version, OLD_VERSION));
}
