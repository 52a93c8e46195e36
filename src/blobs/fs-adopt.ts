import { dirname } from 'node:path';
import { close, isKind, link, makeFolder, openRegular, remove, statAt, statOf, syncData } from './files.ts';
import type { WriteOptions } from './fs-write.ts';

/** Failures after which a copy may still work: another file system, no right to link, too many links. */
const NO_LINK = new Set(['EXDEV', 'EPERM', 'EACCES', 'EMLINK', 'ENOTSUP', 'EOPNOTSUPP', 'ENOSYS']);

/**
 * Gives a file of this machine a second name under the store. Undefined where a link cannot be had or would not be
 * readable to those who read the store: then it has to be copied. What lies under the key already is replaced.
 */
export async function linkBlob(
  root: string,
  path: string,
  source: string,
  { syncs, atomic }: WriteOptions,
): Promise<number | undefined> {
  const fd = await openRegular(source);
  try {
    const { mode, uid, size } = await statOf(fd);
    const everybody = (mode & 0o004) !== 0;
    if (!everybody && (atomic || uid !== (await statAt(root)).uid)) return undefined;
    if (!(await linkInto(path, source))) return undefined;
    if (syncs) {
      await Promise.all([syncData(fd), syncs.entries(dirname(path))]);
      await syncs.entries(root);
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
      if (isKind(fault, 'exists')) await remove(path).catch(unless('missing'));
      else if (isKind(fault, 'missing')) await makeFolder(dirname(path)).catch(unless('exists'));
      else throw fault;
    }
  }
}

function isNoLink(fault: unknown): boolean {
  const cause = fault instanceof Error ? (fault.cause as NodeJS.ErrnoException | undefined) : undefined;
  return NO_LINK.has(cause?.code ?? '');
}

const unless = (kind: 'missing' | 'exists') => (fault: unknown) => {
  if (!isKind(fault, kind)) throw fault;
};
