import { dirname } from 'node:path';
import {
  close,
  fdatasync,
  fstat,
  isBlobError,
  link,
  lstat,
  mkdir,
  openRegularFile,
  unlink,
} from './syscalls.ts';
import type { FsWriteOptions } from './write.ts';

/** Failures after which a copy may still work: another file system, no right to link, too many links. */
const NO_LINK = new Set(['EXDEV', 'EPERM', 'EACCES', 'EMLINK', 'ENOTSUP', 'EOPNOTSUPP', 'ENOSYS']);

/**
 * Gives a file of this machine a second name under the store. Undefined where a link cannot be had or would not be
 * readable to those who read the store: then it has to be copied. What lies under the key already is replaced.
 */
export async function linkIntoStore(
  root: string,
  path: string,
  source: string,
  { diskSync, atomic }: FsWriteOptions,
): Promise<number | undefined> {
  const fd = await openRegularFile(source);
  try {
    const { mode, uid, size } = await fstat(fd);
    const everybody = (mode & 0o004) !== 0;
    if (!everybody && (atomic || uid !== (await lstat(root)).uid)) return undefined;
    if (!(await linkInto(path, source))) return undefined;
    if (diskSync) {
      await Promise.all([fdatasync(fd), diskSync.syncFolder(dirname(path))]);
      await diskSync.syncFolder(root);
    }
    return size;
  } finally {
    await close(fd);
  }
}

/** False where this pair of places cannot be linked. */
async function linkInto(path: string, source: string): Promise<boolean> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      await link(source, path);
      return true;
    } catch (fault) {
      if (isNoLink(fault)) return false;
      if (attempt === 3) throw fault;
      if (isBlobError(fault, 'exists')) await unlink(path).catch(unless('missing'));
      else if (isBlobError(fault, 'missing')) await mkdir(dirname(path)).catch(unless('exists'));
      else throw fault;
    }
  }
}

function isNoLink(fault: unknown): boolean {
  const cause = fault instanceof Error ? (fault.cause as NodeJS.ErrnoException | undefined) : undefined;
  return NO_LINK.has(cause?.code ?? '');
}

const unless = (kind: 'missing' | 'exists') => (fault: unknown) => {
  if (!isBlobError(fault, kind)) throw fault;
};
