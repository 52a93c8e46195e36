import { join } from 'node:path';
import { isAttemptBlobKey, partKey } from '../../base/blob-keys.ts';
import { createDurableFolder } from '../../base/durable-folder.ts';
import { randomId } from '../../base/ids.ts';
import { type DiskSpace, readDiskSpace } from '../../base/system-resources.ts';
import {
  type BlobStore,
  checkedBlobKey,
  type FailedRemoval,
  isBlobKey,
  type StoredBlob,
} from '../contract.ts';
import { appendToFile, hasBytes } from './append.ts';
import { createDiskSync, type DiskSync } from './disk-sync.ts';
import { linkIntoStore, publishFile } from './link-file.ts';
import { moveFileToLostAndFound } from './lost-and-found.ts';
import { openMarkerFile } from './marker-file.ts';
import { createReadBufferPool, openBlob } from './read.ts';
import { createSpoolFile, removeSpoolFiles } from './spool-files.ts';
import {
  appendAll,
  close,
  createFile,
  isBlobError,
  lstat,
  readdir,
  toBlobError,
  unlink,
} from './syscalls.ts';
import { writeBlob } from './write.ts';

export interface FsBlobsOptions {
  /** The folder. Created if it does not exist. */
  readonly root: string;
  /** True if blobs must survive a power failure once `put` has resolved. */
  readonly sync: boolean;
  /** True if a blob must not appear under its key before it is complete, because a web server reads the folder. */
  readonly atomic?: boolean;
  /** Maximum number of concurrent fsync calls. Default: half the thread pool, which leaves threads for reads. */
  readonly maxConcurrentSyncs?: number;
  /** Bytes of buffers for all downloads together. */
  readonly readMemoryBytes?: number;
}

const FOLDER = /^[0-9a-z]{2}$/;
const PARALLEL = 16;

/** Stores blobs as files `root/<key>`. Ignores files with other names. Throws `BlobError` if it cannot create the folder. */
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
  createRoot(root);
  const marker = openMarkerFile(root, diskSync);
  const writeOptions = { diskSync, atomic, assertMounted: marker.assertPresent };

  const toPath = (key: string) => join(root, checkedBlobKey(key));
  const removeOne = async (key: string) => {
    await removeFile(toPath(key));
    if (atomic) await removeFile(partKey(toPath(key)));
  };

  return {
    // The key of an attempt is in no link, so a web server gets no request for it before the file is complete.
    put: async (key, batches) =>
      writeBlob(toPath(key), batches, { ...writeOptions, atomic: atomic && !isAttemptBlobKey(key) }),
    append: async (key, batches, options) => appendToFile(toPath(key), batches, options, writeOptions),
    canAppend: async (key, { offset }) => hasBytes(toPath(key), offset),
    publish: async (key, publicKey) => publishFile(toPath(key), toPath(publicKey), diskSync),
    linkFile: async (key, file) => linkIntoStore(root, toPath(key), file, writeOptions),
    createSpoolFile: () => createSpoolFile(root, writeOptions),
    removeSpoolFiles: (before) => removeSpoolFiles(root, before),
    open: async (key) => openBlob(toPath(key), buffers),
    size: async (key) => readSize(toPath(key)),
    async remove(keys) {
      const failures: FailedRemoval[] = [];
      for (let at = 0; at < keys.length; at += PARALLEL) {
        const work = keys.slice(at, at + PARALLEL).map(async (key) => {
          await removeOne(key).catch((cause) => failures.push({ key, error: toBlobError(cause) }));
        });
        await Promise.all(work);
      }
      return failures;
    },
    moveToLostAndFound: (key) => moveFileToLostAndFound(root, toPath(key), diskSync),
    list: (filter) => listBlobs(root, filter),
    space: () => readSpace(root),
    checkWritable: () => writeTestFile(join(root, `.ready-${randomId()}`), diskSync),
    readIdentity: marker.read,
    writeIdentity: (id, { replace } = { replace: false }) => marker.write(id, replace),
    close: async () => undefined,
  };
}

function halfThePool(): number {
  return Math.max(2, Math.floor((Number(process.env.UV_THREADPOOL_SIZE) || 4) / 2));
}

function createRoot(root: string): void {
  try {
    createDurableFolder(root);
  } catch (cause) {
    throw toBlobError(cause);
  }
}

async function readSpace(root: string): Promise<DiskSpace> {
  try {
    return await readDiskSpace(root);
  } catch (cause) {
    throw toBlobError(cause);
  }
}

async function removeFile(path: string): Promise<void> {
  await unlink(path).catch((error) => {
    if (!isBlobError(error, 'missing')) throw error;
  });
}

async function* listBlobs(root: string, filter = (_key: string) => true): AsyncGenerator<StoredBlob> {
  for (const folder of await readdir(root)) {
    if (!folder.isDirectory() || !FOLDER.test(folder.name)) continue;
    const entries = await readdir(join(root, folder.name));
    const keys = entries.filter((entry) => entry.isFile()).map((entry) => `${folder.name}/${entry.name}`);
    const blobKeys = keys.filter((key) => isBlobKey(key) && filter(key));
    for (let at = 0; at < blobKeys.length; at += PARALLEL) {
      const blobs = await Promise.all(blobKeys.slice(at, at + PARALLEL).map((key) => statBlob(root, key)));
      yield* blobs.filter((blob) => blob !== undefined);
    }
  }
}

/** Returns undefined if the file was removed since it was listed. */
async function statBlob(root: string, key: string): Promise<StoredBlob | undefined> {
  try {
    const { size, mtimeMs } = await lstat(join(root, key));
    return { key, size, modifiedAt: Math.floor(mtimeMs) };
  } catch (error) {
    if (isBlobError(error, 'missing')) return undefined;
    throw error;
  }
}

async function readSize(path: string): Promise<number | undefined> {
  try {
    const stats = await lstat(path);
    return stats.isFile() ? stats.size : undefined;
  } catch (error) {
    if (isBlobError(error, 'missing')) return undefined;
    throw error;
  }
}

async function writeTestFile(path: string, diskSync: DiskSync | null): Promise<void> {
  const fd = await createFile(path);
  try {
    await appendAll(fd, [Buffer.from('ready\n')]);
    await diskSync?.syncFile(fd);
  } finally {
    await close(fd).finally(() => unlink(path));
  }
}
