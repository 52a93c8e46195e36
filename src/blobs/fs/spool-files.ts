import { join } from 'node:path';
import { randomId } from '../../base/ids.ts';
import { close, createFile, ignoring, isBlobError, lstat, mkdir, readdir, unlink } from './syscalls.ts';
import type { FsWriteOptions } from './write.ts';

/** The folder of spool files. Its name is not part of a blob key, so Porter neither lists nor serves its files. */
const SPOOL_FOLDER = 'spool';

/** Creates an empty file beside the blobs and returns its path. Only the user of Porter can read its folder. */
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
    await mkdir(folder, 0o700).catch(ignoring('exists'));
    await close(await createFile(path));
  }
  return path;
}

/** Removes spool files that were written last before `before` (ms since 1970). Returns their number. */
export async function removeSpoolFiles(root: string, before: number): Promise<number> {
  const folder = join(root, SPOOL_FOLDER);
  const entries = await readdir(folder).catch(ignoring('missing'));
  let removed = 0;
  for (const { name } of entries ?? []) {
    const path = join(folder, name);
    const stats = await lstat(path).catch(ignoring('missing'));
    if (stats === undefined || !stats.isFile() || stats.mtimeMs >= before) continue;
    await unlink(path).catch(ignoring('missing'));
    removed += 1;
  }
  return removed;
}
