import { dirname } from 'node:path';
import { partKey } from '../../base/blob-keys.ts';
import type { DiskSync } from './disk-sync.ts';
import {
  appendAll,
  close,
  createFile,
  fstat,
  ignoring,
  isBlobError,
  lstat,
  mkdir,
  rename,
  unlink,
} from './syscalls.ts';

export interface FsWriteOptions {
  /** Null if blobs need not survive a power failure. */
  readonly diskSync: DiskSync | null;
  /** True if a blob is written under another name first, because a web server serves every file that has the name of a blob. */
  readonly atomic: boolean;
  /** Rejects if the volume of the folder is no longer mounted. Called before a folder is created in the root. */
  readonly assertMounted: () => Promise<void>;
}

type Batches = AsyncIterable<readonly Uint8Array[]>;

/** Writes the batches to a new file and returns its size. Removes the file after a failure. */
export async function writeBlob(path: string, batches: Batches, options: FsWriteOptions): Promise<number> {
  const target = options.atomic ? partKey(path) : path;
  const size = await writeFile(await createBlobFile(target, options), target, batches, options.diskSync);
  if (options.atomic) await moveIntoPlace(target, path, options.diskSync);
  return size;
}

async function writeFile(
  fd: number,
  path: string,
  batches: Batches,
  diskSync: DiskSync | null,
): Promise<number> {
  let size = 0;
  try {
    for await (const batch of batches) size += await appendAll(fd, batch);
    if (diskSync) await flush(fd, path, diskSync);
  } catch (error) {
    await discard(fd, path);
    throw error;
  }
  // Some file systems report a full disk only at close. The descriptor is closed even then.
  await close(fd).catch(async (error) => {
    await unlink(path).catch(() => undefined);
    throw error;
  });
  return size;
}

/** Flushes the bytes and the name of a file in parallel. If one fails, waits for the other before the file is closed. */
export async function flush(fd: number, path: string, diskSync: DiskSync): Promise<void> {
  const results = await Promise.allSettled([diskSync.syncFile(fd), diskSync.syncName(path)]);
  for (const result of results) if (result.status === 'rejected') throw result.reason;
}

/** Creates the file. Removes the remains of a killed attempt, and creates the folder for its first blob. */
async function createBlobFile(path: string, options: FsWriteOptions): Promise<number> {
  try {
    return await createFile(path);
  } catch (error) {
    if (isBlobError(error, 'exists')) await unlink(path).catch(ignoring('missing'));
    else if (isBlobError(error, 'missing')) await addFolder(dirname(path), options);
    else throw error;
    return await createFile(path);
  }
}

/** Creates a folder for blobs in the root, unless it exists. Rejects if the volume is no longer mounted. */
export async function addFolder(folder: string, { diskSync, assertMounted }: FsWriteOptions): Promise<void> {
  await assertMounted();
  await mkdir(folder).catch(ignoring('exists'));
  diskSync?.folderCreated(folder);
}

async function moveIntoPlace(part: string, path: string, diskSync: DiskSync | null): Promise<void> {
  try {
    await rename(part, path);
    await diskSync?.syncName(path);
  } catch (error) {
    await unlink(part).catch(() => undefined);
    await unlink(path).catch(() => undefined);
    throw error;
  }
}

/** Removes an unfinished file, unless another attempt has replaced it. */
async function discard(fd: number, path: string): Promise<void> {
  const [mine, current] = await Promise.all(
    [fstat(fd), lstat(path)].map((stats) => stats.catch(() => undefined)),
  );
  if (mine && current && current.ino === mine.ino && current.dev === mine.dev) {
    await unlink(path).catch(() => undefined);
  }
  await close(fd).catch(() => undefined);
}
