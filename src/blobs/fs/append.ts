import { dirname } from 'node:path';
import { type AppendOptions, type AppendResult, BlobError, captureFailure } from '../contract.ts';
import {
  appendAll,
  close,
  fstat,
  isBlobError,
  lstat,
  openForAppend,
  openOrCreateForAppend,
  truncate,
} from './syscalls.ts';
import { addFolder, type FsWriteOptions, flush } from './write.ts';

/** Maximum number of bytes that are lost if the process is killed. */
const CHECKPOINT = 8 * 1024 * 1024;

type Batches = AsyncIterable<readonly Uint8Array[]>;

/** Implements `BlobStore.append`. The length of the file is the offset. A crash may leave more bytes, which the next call cuts off. */
export async function appendToFile(
  path: string,
  batches: Batches,
  { offset, onDurable }: AppendOptions,
  options: FsWriteOptions,
): Promise<AppendResult> {
  const fd = await openAt(path, offset, options);
  const source = captureFailure(batches);
  let written = offset;
  let durable = offset;
  const sync = async () => {
    if (options.diskSync) await flush(fd, path, options.diskSync);
    durable = written;
  };
  try {
    for await (const batch of source.batches) {
      written += await appendAll(fd, batch);
      if (written - durable < CHECKPOINT) continue;
      await sync();
      await onDurable(durable);
    }
    await sync();
  } catch (error) {
    await close(fd).catch(() => undefined);
    throw error;
  }
  await close(fd);
  return { offset: written, ...source.failure() };
}

/** Opens the file and cuts off the bytes behind the offset. */
async function openAt(path: string, offset: number, options: FsWriteOptions): Promise<number> {
  const fd = offset > 0 ? await openForAppend(path) : await createWithFolder(path, options);
  try {
    const { size } = await fstat(fd);
    if (size < offset) throw new BlobError('missing', 'The bytes of an unfinished upload are missing.');
    if (size > offset) await truncate(fd, offset);
    return fd;
  } catch (error) {
    await close(fd).catch(() => undefined);
    throw error;
  }
}

async function createWithFolder(path: string, options: FsWriteOptions): Promise<number> {
  try {
    return await openOrCreateForAppend(path);
  } catch (error) {
    if (!isBlobError(error, 'missing')) throw error;
    await addFolder(dirname(path), options);
    return await openOrCreateForAppend(path);
  }
}

/** Implements `BlobStore.canAppend`. */
export async function hasBytes(path: string, offset: number): Promise<boolean> {
  if (offset === 0) return true;
  try {
    return (await lstat(path)).size >= offset;
  } catch (error) {
    if (isBlobError(error, 'missing')) return false;
    throw error;
  }
}
