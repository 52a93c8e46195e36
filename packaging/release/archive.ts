import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { ROOT, run } from './run.ts';

let epoch: number | undefined;

/**
 * Returns the time of the commit in seconds since 1970, or `SOURCE_DATE_EPOCH`
 * (https://reproducible-builds.org/specs/source-date-epoch/). It is read once, so that a commit during the build does not change it.
 */
export function sourceDateEpoch(): number {
  epoch ??= Number(process.env.SOURCE_DATE_EPOCH ?? run('git', ['log', '-1', '--format=%ct'], { cwd: ROOT }));
  return epoch;
}

/** The level of compression. `--fast` compresses little, for tests of the packages. The bytes then differ from those of a release. */
export const compression = { level: process.argv.includes('--fast') ? 1 : 9 };

/**
 * Writes a tar archive whose bytes depend only on names, modes and content: sorted, owned by root, all files with the same date.
 * `file` may end in `.tar` or `.tar.gz`. The modes of the files must not depend on the umask of the builder.
 */
export function writeTar(file: string, folder: string, entries?: readonly string[]): void {
  const tar = file.replace(/\.gz$/, '');
  run('tar', [
    '--create',
    `--file=${tar}`,
    `--directory=${folder}`,
    '--sort=name',
    '--format=gnu',
    `--mtime=@${sourceDateEpoch()}`,
    '--owner=0',
    '--group=0',
    '--numeric-owner',
    ...(entries ?? readdirSync(folder).toSorted()),
  ]);
  // `-n` leaves out name and date.
  if (file.endsWith('.gz')) run('gzip', ['-n', `-${compression.level}`, '-f', tar]);
}

/** Sets the modes that files have in a package: 755 for folders and programs, 644 for all others. */
export function normalizeModes(folder: string): void {
  run('find', [folder, '-type', 'd', '-exec', 'chmod', '755', '{}', '+']);
  run('find', [folder, '-type', 'f', '-perm', '/111', '-exec', 'chmod', '755', '{}', '+']);
  run('find', [folder, '-type', 'f', '!', '-perm', '/111', '-exec', 'chmod', '644', '{}', '+']);
}

/** Returns the size of a folder in KiB, as `Installed-Size` of a Debian package needs it. */
export function sizeKiB(folder: string): number {
  return Number(run('du', ['-s', '-k', '--apparent-size', join(folder, '.')]).split('\t')[0]);
}
