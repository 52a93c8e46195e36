import { dirname } from 'node:path';
import type { DiskSync } from './disk-sync.ts';
import {
  close,
  fstat,
  ignoring,
  isBlobError,
  link,
  lstat,
  openRegularFile,
  rename,
  unlink,
} from './syscalls.ts';
import { addFolder, type FsWriteOptions, flush } from './write.ts';

/** Errors after which a copy may still work: another file system, missing permission, too many links. */
const LINK_ERRORS = new Set(['EXDEV', 'EPERM', 'EACCES', 'EMLINK', 'ENOTSUP', 'EOPNOTSUPP', 'ENOSYS']);

/**
 * Adds a local file to the store by a hard link and returns its size. Returns undefined if the file must be copied: a link
 * is impossible, or the readers of the store could not read the file. Replaces an existing blob.
 */
export async function linkIntoStore(
  root: string,
  path: string,
  source: string,
  options: FsWriteOptions,
): Promise<number | undefined> {
  const { diskSync, atomic } = options;
  const fd = await openRegularFile(source);
  try {
    const { mode, uid, size } = await fstat(fd);
    const isWorldReadable = (mode & 0o004) !== 0;
    if (!isWorldReadable && (atomic || uid !== (await lstat(root)).uid)) return undefined;
    if (!(await linkInto(path, source, options))) return undefined;
    if (diskSync) await flush(fd, path, diskSync);
    return size;
  } finally {
    await close(fd);
  }
}

/**
 * Gives a complete file its public name in the same folder, without replacing another file. If several processes do this at
 * once, one of them creates the name, and the others find it.
 */
export async function publishFile(
  path: string,
  publicPath: string,
  diskSync: DiskSync | null,
): Promise<void> {
  try {
    await link(path, publicPath);
  } catch (error) {
    const isOther = isBlobError(error, 'exists') && (await isOtherFile(path, publicPath));
    if (isOther || isBlobError(error, 'missing') || isLinkError(error)) await renameOnce(path, publicPath);
    else if (!isBlobError(error, 'exists')) throw error;
  }
  await diskSync?.syncFolder(dirname(publicPath));
  await unlink(path).catch(ignoring('missing'));
}

/** Returns whether the public name belongs to another file. Returns false if `path` is gone: another process has published it. */
async function isOtherFile(path: string, publicPath: string): Promise<boolean> {
  const [file, published] = await Promise.all(
    [lstat(path), lstat(publicPath)].map((stats) => stats.catch(ignoring('missing'))),
  );
  return file !== undefined && !(file.ino === published?.ino && file.dev === published.dev);
}

/**
 * Renames a file to its public name. Used on file systems without links, and if an attempt of an older Porter has left a file
 * under the public name: the ledger has chosen the file at `path`, so it replaces that one. Does nothing if another process has
 * renamed it.
 */
async function renameOnce(path: string, publicPath: string): Promise<void> {
  try {
    await rename(path, publicPath);
  } catch (error) {
    if (!isBlobError(error, 'missing')) throw error;
    await lstat(publicPath);
  }
}

/** Returns false if the two paths cannot be linked. */
async function linkInto(path: string, source: string, options: FsWriteOptions): Promise<boolean> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      await link(source, path);
      return true;
    } catch (error) {
      if (isLinkError(error)) return false;
      if (attempt === 3) throw error;
      if (isBlobError(error, 'exists')) await unlink(path).catch(ignoring('missing'));
      else if (isBlobError(error, 'missing')) await addFolder(dirname(path), options);
      else throw error;
    }
  }
}

function isLinkError(error: unknown): boolean {
  const cause = error instanceof Error ? (error.cause as NodeJS.ErrnoException | undefined) : undefined;
  return LINK_ERRORS.has(cause?.code ?? '');
}
