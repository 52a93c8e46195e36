import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { randomId } from '../../base/ids.ts';
import type { BlobStore, StoredBlob } from '../contract.ts';
import { checkedBlobKey, isBlobKey, partKey } from '../keys.ts';
import { createDiskSync } from './disk-sync.ts';
import { linkIntoStore } from './link-file.ts';
import { createReadBufferPool, openBlob } from './read.ts';
import {
  appendAll,
  close,
  createFile,
  isBlobError,
  lstat,
  readdir,
  statfs,
  toBlobError,
  unlink,
} from './syscalls.ts';
import { writeBlob } from './write.ts';

export interface FsBlobsOptions {
  /** The folder; made if it is not there. */
  readonly root: string;
  /** Does a resolved `put` mean that the bytes would survive a power cut? */
  readonly sync: boolean;
  /** No blob is ever to be seen under its key before it is whole: for web servers that read the folder. */
  readonly atomic?: boolean;
  /** Trips to the disk at a time; half the thread pool leaves room for reads. */
  readonly maxConcurrentSyncs?: number;
  /** Bytes that all downloads together may hold in buffers. */
  readonly readMemoryBytes?: number;
}

const FOLDER = /^[0-9a-z]{2}$/;
const AT_ONCE = 16;

/** Blobs as files `root/ab/<id>.<ext>`. Files with other names are not ours and are left alone. */
export function openFsBlobs(options: FsBlobsOptions): BlobStore {
  const {
    root,
    sync,
    atomic = false,
    maxConcurrentSyncs = halfThePool(),
    readMemoryBytes = 16 * 1024 * 1024,
  } = options;
  const diskSync = sync ? createDiskSync(maxConcurrentSyncs) : null;
  const buffers = createReadBufferPool(readMemoryBytes);
  makeRoot(root);

  const pathOf = (key: string) => join(root, checkedBlobKey(key));
  const removeOne = async (key: string) => {
    await removeFile(pathOf(key));
    if (atomic) await removeFile(partKey(pathOf(key)));
  };

  return {
    put: async (key, batches) => writeBlob(pathOf(key), batches, { diskSync, atomic }),
    linkFile: async (key, file) => linkIntoStore(root, pathOf(key), file, { diskSync, atomic }),
    open: async (key) => openBlob(pathOf(key), buffers),
    size: async (key) => sizeAt(pathOf(key)),
    async remove(keys) {
      for (let at = 0; at < keys.length; at += AT_ONCE) {
        await Promise.all(keys.slice(at, at + AT_ONCE).map(removeOne));
      }
    },
    list: () => listBlobs(root),
    async space() {
      const { bavail, blocks, bsize } = await statfs(root);
      return { free: bavail * bsize, total: blocks * bsize };
    },
    checkWritable: () => tryWriting(join(root, `.ready-${randomId()}`)),
    close: async () => undefined,
  };
}

function halfThePool(): number {
  return Math.max(2, Math.floor((Number(process.env.UV_THREADPOOL_SIZE) || 4) / 2));
}

function makeRoot(root: string): void {
  try {
    mkdirSync(root, { recursive: true });
  } catch (cause) {
    throw toBlobError(cause);
  }
}

async function removeFile(path: string): Promise<void> {
  await unlink(path).catch((fault) => {
    if (!isBlobError(fault, 'missing')) throw fault;
  });
}

async function* listBlobs(root: string): AsyncGenerator<StoredBlob> {
  for (const folder of await readdir(root)) {
    if (!folder.isDirectory() || !FOLDER.test(folder.name)) continue;
    const entries = await readdir(join(root, folder.name));
    const keys = entries.filter((entry) => entry.isFile()).map((entry) => `${folder.name}/${entry.name}`);
    const isPorter = keys.filter((key) => isBlobKey(key));
    for (let at = 0; at < isPorter.length; at += AT_ONCE) {
      const blobs = await Promise.all(isPorter.slice(at, at + AT_ONCE).map((key) => look(root, key)));
      yield* blobs.filter((blob) => blob !== undefined);
    }
  }
}

/** Undefined where it was removed meanwhile. */
async function look(root: string, key: string): Promise<StoredBlob | undefined> {
  try {
    const { size, mtimeMs } = await lstat(join(root, key));
    return { key, size, modifiedAt: Math.floor(mtimeMs) };
  } catch (fault) {
    if (isBlobError(fault, 'missing')) return undefined;
    throw fault;
  }
}

async function sizeAt(path: string): Promise<number | undefined> {
  try {
    const stats = await lstat(path);
    return stats.isFile() ? stats.size : undefined;
  } catch (fault) {
    if (isBlobError(fault, 'missing')) return undefined;
    throw fault;
  }
}

async function tryWriting(path: string): Promise<void> {
  const fd = await createFile(path);
  try {
    await appendAll(fd, [Buffer.from('ready\n')]);
  } finally {
    await close(fd);
    await unlink(path);
  }
}
