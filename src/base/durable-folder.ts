import { closeSync, constants, fsyncSync, mkdirSync, openSync } from 'node:fs';
import { dirname, resolve } from 'node:path';

const { O_RDONLY, O_DIRECTORY } = constants;

/**
 * Creates a folder and its missing parents. The names of the new folders survive a power failure. Does nothing if the folder
 * exists.
 */
export function createDurableFolder(path: string, mode?: number): void {
  const first = mkdirSync(path, { recursive: true, ...(mode !== undefined && { mode }) });
  if (first === undefined) return;
  const last = dirname(resolve(first));
  for (let folder = dirname(resolve(path)); ; folder = dirname(folder)) {
    syncFolder(folder);
    if (folder === last || folder === dirname(folder)) return;
  }
}

/** Ignores folders that this user may not read, and file systems without fsync of folders. */
function syncFolder(folder: string): void {
  try {
    const fd = openSync(folder, O_RDONLY | O_DIRECTORY);
    try {
      fsyncSync(fd);
    } finally {
      closeSync(fd);
    }
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code !== 'EACCES' && code !== 'EINVAL') throw error;
  }
}
