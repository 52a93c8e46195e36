import { randomBytes } from 'node:crypto';
import { readdirSync, statfsSync, unlinkSync } from 'node:fs';
import { mkdir, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { type DiskSpace, readDiskSpace } from '../../base/system-resources.ts';

/*
 * Files beside the database that only take up space. SQLite cannot remove a row without first writing to its WAL. If other
 * programs have filled the disk, the ledger deletes one of these files and repeats the removal, so that space can be freed
 * (docs/decisions/0022-removals-on-a-full-disk.md). There are several small files: each of them also frees an inode, and the
 * remaining ones still help after a restart.
 */

const FILES = ['1', '2', '3', '4'] as const;
const FILE_BYTES = 2 * 1024 * 1024;
/** All files together take at most an eighth of a small disk. */
const FILE_SHARE = 1 / 32;
/** SQLite needs 32 KiB for its shared memory and a few pages for its WAL. */
const FULL_BELOW_BYTES = 64 * 1024;

const folderFor = (file: string) => `${file}-ballast`;

/**
 * Creates the missing files of the ballast while `hasRoom` returns true for the disk and the bytes to be added. Writes random
 * bytes, because a file system may not store zeros. Called by servers only, so that the files belong to their user.
 */
export async function fillBallast(
  file: string,
  hasRoom: (space: DiskSpace, bytes: number) => boolean,
): Promise<void> {
  const folder = folderFor(file);
  await mkdir(folder, { recursive: true, mode: 0o700 });
  const present = new Set(readdirSync(folder));
  for (const name of FILES) {
    if (present.has(name)) continue;
    const space = await readDiskSpace(dirname(file));
    const bytes = Math.min(FILE_BYTES, Math.floor(space.total * FILE_SHARE));
    if (!hasRoom(space, bytes)) return;
    await createFile(join(folder, name), randomBytes(bytes));
  }
}

async function createFile(path: string, bytes: Buffer): Promise<void> {
  try {
    await writeFile(path, bytes, { flag: 'wx', mode: 0o600 });
  } catch (error) {
    // Another worker has created it meanwhile.
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return;
    await rm(path, { force: true });
    throw error;
  }
}

/** Deletes one file of the ballast. Returns false if none is left, or this user may not delete it. */
export function releaseBallast(file: string): boolean {
  return FILES.some((name) => {
    try {
      unlinkSync(join(folderFor(file), name));
      return true;
    } catch {
      return false;
    }
  });
}

/** Returns true if the file system of the database has no space, or cannot hold more files. */
export function isDiskFull(file: string): boolean {
  try {
    const { bavail, bsize, ffree, files } = statfsSync(dirname(file));
    return bavail * bsize < FULL_BELOW_BYTES || (files > 0 && ffree === 0);
  } catch {
    return false;
  }
}
