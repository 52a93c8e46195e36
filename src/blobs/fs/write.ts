import { dirname } from 'node:path';
import { partKey } from '../keys.ts';
import type { DiskSync } from './disk-sync.ts';
import {
  appendAll,
  close,
  createFile,
  fstat,
  isBlobError,
  lstat,
  mkdir,
  rename,
  unlink,
} from './syscalls.ts';

export interface FsWriteOptions {
  /** Null where bytes need not survive a power cut. */
  readonly diskSync: DiskSync | null;
  /** Write under another name first, because a web server shows whatever has the right one. */
  readonly atomic: boolean;
}

type Batches = AsyncIterable<readonly Uint8Array[]>;

/** Writes the batches to a new file and returns its size; nothing is left of it after a failure. */
export async function writeBlob(path: string, batches: Batches, options: FsWriteOptions): Promise<number> {
  const target = options.atomic ? partKey(path) : path;
  const size = await fill(await create(target, options.diskSync), target, batches, options.diskSync);
  if (options.atomic) await show(target, path, options.diskSync);
  return size;
}

async function fill(fd: number, path: string, batches: Batches, syncs: DiskSync | null): Promise<number> {
  let size = 0;
  try {
    for await (const batch of batches) size += await appendAll(fd, batch);
    if (syncs) await makeDurable(fd, path, syncs);
  } catch (failure) {
    await discard(fd, path);
    throw failure;
  }
  // A failed close has closed all the same; some file systems report a full disk only here.
  await close(fd).catch(async (failure) => {
    await unlink(path).catch(() => undefined);
    throw failure;
  });
  return size;
}

/** Both at once; and where one fails, the other has ended before the file is closed. */
async function makeDurable(fd: number, path: string, syncs: DiskSync): Promise<void> {
  const ends = await Promise.allSettled([syncs.syncFile(fd), syncs.syncFolder(dirname(path))]);
  for (const end of ends) if (end.status === 'rejected') throw end.reason;
}

/** What a killed attempt left is in the way and is removed; a folder is made when its first blob comes. */
async function create(path: string, syncs: DiskSync | null): Promise<number> {
  try {
    return await createFile(path);
  } catch (fault) {
    if (isBlobError(fault, 'exists')) await unlink(path).catch(unless('missing'));
    else if (isBlobError(fault, 'missing')) await addFolder(dirname(path), syncs);
    else throw fault;
    return await createFile(path);
  }
}

async function addFolder(folder: string, syncs: DiskSync | null): Promise<void> {
  await mkdir(folder).catch(unless('exists'));
  await syncs?.syncFolder(dirname(folder));
}

async function show(part: string, path: string, syncs: DiskSync | null): Promise<void> {
  try {
    await rename(part, path);
    await syncs?.syncFolder(dirname(path));
  } catch (failure) {
    await unlink(part).catch(() => undefined);
    await unlink(path).catch(() => undefined);
    throw failure;
  }
}

/** Removes an unfinished file, but never one that another attempt has put in its place meanwhile. */
async function discard(fd: number, path: string): Promise<void> {
  const [own, there] = await Promise.all([fstat(fd), lstat(path)].map((look) => look.catch(() => undefined)));
  if (own && there && there.ino === own.ino && there.dev === own.dev) {
    await unlink(path).catch(() => undefined);
  }
  await close(fd).catch(() => undefined);
}

const unless = (kind: 'missing' | 'exists') => (fault: unknown) => {
  if (!isBlobError(fault, kind)) throw fault;
};
