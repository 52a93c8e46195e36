import { dirname, join } from 'node:path';
import { createDurableFolder } from '../../base/durable-folder.ts';
import { findLostAndFoundName, LOST_AND_FOUND } from '../contract.ts';
import type { DiskSync } from './disk-sync.ts';
import { isBlobError, lstat, rename, toBlobError } from './syscalls.ts';

/** The folders that are tried, in this order. The root of an ext4 volume has a `lost+found` that only root may use. */
const FOLDERS = [LOST_AND_FOUND, `porter-${LOST_AND_FOUND}`] as const;

/** Implements `BlobStore.moveToLostAndFound` for the file at `path`. */
export async function moveFileToLostAndFound(
  root: string,
  path: string,
  diskSync: DiskSync | null,
): Promise<string | undefined> {
  if ((await findSize(path)) === undefined) return undefined;
  const name = await moveToFirstFolder(root, path);
  await diskSync?.syncFolder(dirname(join(root, name)));
  return name;
}

async function moveToFirstFolder(root: string, path: string): Promise<string> {
  let failure: unknown;
  for (const folder of FOLDERS) {
    try {
      // Only for the user of Porter: a web server may read the rest of the store.
      createDurableFolder(join(root, folder), 0o700);
      const isFree = async (name: string) => (await findSize(join(root, folder, name))) === undefined;
      const name = join(folder, await findLostAndFoundName(path, isFree));
      await rename(path, join(root, name));
      return name;
    } catch (error) {
      failure ??= error;
    }
  }
  throw toBlobError(failure);
}

async function findSize(path: string): Promise<number | undefined> {
  try {
    return (await lstat(path)).size;
  } catch (error) {
    if (isBlobError(error, 'missing')) return undefined;
    throw error;
  }
}
