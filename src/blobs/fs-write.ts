import { dirname } from 'node:path';
import { append, close, createFile, isKind, makeFolder, remove, rename, statAt, statOf } from './files.ts';
import { partOf } from './keys.ts';
import type { Syncs } from './syncs.ts';

export interface WriteOptions {
  /** Null where bytes need not survive a power cut. */
  readonly syncs: Syncs | null;
  /** Write under another name first, because a web server shows whatever has the right one. */
  readonly atomic: boolean;
}

type Batches = AsyncIterable<readonly Uint8Array[]>;

/** Writes the batches to a new file and returns its size; nothing is left of it after a failure. */
export async function writeBlob(path: string, batches: Batches, options: WriteOptions): Promise<number> {
  const target = options.atomic ? partOf(path) : path;
  const size = await fill(await create(target, options.syncs), target, batches, options.syncs);
  if (options.atomic) await show(target, path, options.syncs);
  return size;
}

async function fill(fd: number, path: string, batches: Batches, syncs: Syncs | null): Promise<number> {
  let size = 0;
  try {
    for await (const batch of batches) size += await append(fd, batch);
    if (syncs) await makeDurable(fd, path, syncs);
  } catch (failure) {
    await discard(fd, path);
    throw failure;
  }
  // A failed close has closed all the same; some file systems report a full disk only here.
  await close(fd).catch(async (failure) => {
    await remove(path).catch(() => undefined);
    throw failure;
  });
  return size;
}

/** Both at once; and where one fails, the other has ended before the file is closed. */
async function makeDurable(fd: number, path: string, syncs: Syncs): Promise<void> {
  const ends = await Promise.allSettled([syncs.data(fd), syncs.entries(dirname(path))]);
  for (const end of ends) if (end.status === 'rejected') throw end.reason;
}

/** What a killed attempt left is in the way and is removed; a folder is made when its first blob comes. */
async function create(path: string, syncs: Syncs | null): Promise<number> {
  try {
    return await createFile(path);
  } catch (fault) {
    if (isKind(fault, 'exists')) await remove(path).catch(unless('missing'));
    else if (isKind(fault, 'missing')) await addFolder(dirname(path), syncs);
    else throw fault;
    return await createFile(path);
  }
}

async function addFolder(folder: string, syncs: Syncs | null): Promise<void> {
  await makeFolder(folder).catch(unless('exists'));
  await syncs?.entries(dirname(folder));
}

async function show(part: string, path: string, syncs: Syncs | null): Promise<void> {
  try {
    await rename(part, path);
    await syncs?.entries(dirname(path));
  } catch (failure) {
    await remove(part).catch(() => undefined);
    await remove(path).catch(() => undefined);
    throw failure;
  }
}

/** Removes an unfinished file, but never one that another attempt has put in its place meanwhile. */
async function discard(fd: number, path: string): Promise<void> {
  const [own, there] = await Promise.all(
    [statOf(fd), statAt(path)].map((look) => look.catch(() => undefined)),
  );
  if (own && there && there.ino === own.ino && there.dev === own.dev) {
    await remove(path).catch(() => undefined);
  }
  await close(fd).catch(() => undefined);
}

const unless = (kind: 'missing' | 'exists') => (fault: unknown) => {
  if (!isKind(fault, kind)) throw fault;
};
