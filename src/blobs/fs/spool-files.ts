import { join } from 'node:path';
import { randomId } from '../../base/ids.ts';
import { close, createFile, isBlobError, lstat, mkdir, readdir, unlink } from './syscalls.ts';
import type { FsWriteOptions } from './write.ts';

/** Its name is not a blob key, so Porter neither lists nor serves its files. */
const SPOOL_FOLDER = 'spool';

/** Creates an empty file beside the blobs and returns its path. The folder is readable only for the user of Porter. */
export async function createSpoolFile(
  root: string,
  { assertMounted }: Pick<FsWriteOptions, 'assertMounted'>,
): Promise<string> {
  const folder = join(root, SPOOL_FOLDER);
  const path = join(folder, randomId());
  try {
    await close(await createFile(path));
  } catch (error) {
    if (!isBlobError(error, 'missing')) throw error;
    await assertMounted();
    await mkdir(folder, 0o700).catch(unless('exists'));
    await close(await createFile(path));
  }
  return path;
}

/** Removes spool files that were written last before `before` (ms since 1970). Returns their number. */
export async function removeSpoolFiles(root: string, before: number): Promise<number> {
  const folder = join(root, SPOOL_FOLDER);
  const entries = await readdir(folder).catch(unless('missing'));
  let removed = 0;
  for (const { name } of entries ?? []) {
    const path = join(folder, name);
    const stats = await lstat(path).catch(unless('missing'));
    if (stats === undefined || !stats.isFile() || stats.mtimeMs >= before) continue;
    await unlink(path).catch(unless('missing'));
    removed += 1;
  }
  return removed;
}

const unless =
  (kind: 'missing' | 'exists') =>
  (error: unknown): undefined => {
    if (!isBlobError(error, kind)) throw error;
  };
