import { dirname } from 'node:path';
import { close, fstat, isBlobError, link, lstat, openRegularFile, unlink } from './syscalls.ts';
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

/** Returns false if the two paths cannot be linked. */
async function linkInto(path: string, source: string, options: FsWriteOptions): Promise<boolean> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      await link(source, path);
      return true;
    } catch (error) {
      if (isLinkError(error)) return false;
      if (attempt === 3) throw error;
      if (isBlobError(error, 'exists')) await unlink(path).catch(unless('missing'));
      else if (isBlobError(error, 'missing')) await addFolder(dirname(path), options);
      else throw error;
    }
  }
}

function isLinkError(error: unknown): boolean {
  const cause = error instanceof Error ? (error.cause as NodeJS.ErrnoException | undefined) : undefined;
  return LINK_ERRORS.has(cause?.code ?? '');
}

const unless = (kind: 'missing' | 'exists') => (error: unknown) => {
  if (!isBlobError(error, kind)) throw error;
};
