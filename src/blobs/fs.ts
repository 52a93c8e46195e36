import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { randomId } from '../base/ids.ts';
import type { Blobs, StoredBlob } from './contract.ts';
import { append, blobFault, close, createFile, entriesOf, isKind, remove, spaceAt, statAt } from './files.ts';
import { linkBlob } from './fs-adopt.ts';
import { createReadBuffers, openBlob } from './fs-read.ts';
import { writeBlob } from './fs-write.ts';
import { checkedKey, isKey, partOf } from './keys.ts';
import { createSyncs } from './syncs.ts';

export interface FsBlobsOptions {
  /** The folder; made if it is not there. */
  readonly root: string;
  /** Does a resolved `put` mean that the bytes would survive a power cut? */
  readonly sync: boolean;
  /** No blob is ever to be seen under its key before it is whole: for web servers that read the folder. */
  readonly atomic?: boolean;
  /** Trips to the disk at a time; half the thread pool leaves room for reads. */
  readonly syncsAtOnce?: number;
  /** Bytes that all downloads together may hold in buffers. */
  readonly readMemory?: number;
}

const FOLDER = /^[0-9a-z]{2}$/;
const AT_ONCE = 16;

/** Blobs as files `root/ab/<id>.<ext>`. Files with other names are not ours and are left alone. */
export function fsBlobs(options: FsBlobsOptions): Blobs {
  const { root, sync, atomic = false, syncsAtOnce = halfThePool(), readMemory = 16 * 1024 * 1024 } = options;
  const syncs = sync ? createSyncs(syncsAtOnce) : null;
  const buffers = createReadBuffers(readMemory);
  makeRoot(root);

  const pathOf = (key: string) => join(root, checkedKey(key));
  const removeOne = async (key: string) => {
    await removeFile(pathOf(key));
    if (atomic) await removeFile(partOf(pathOf(key)));
  };

  return {
    put: async (key, batches) => writeBlob(pathOf(key), batches, { syncs, atomic }),
    adopt: async (key, file) => linkBlob(root, pathOf(key), file, { syncs, atomic }),
    open: async (key) => openBlob(pathOf(key), buffers),
    size: async (key) => sizeAt(pathOf(key)),
    async remove(keys) {
      for (let at = 0; at < keys.length; at += AT_ONCE) {
        await Promise.all(keys.slice(at, at + AT_ONCE).map(removeOne));
      }
    },
    list: () => listBlobs(root),
    async space() {
      const { bavail, blocks, bsize } = await spaceAt(root);
      return { free: bavail * bsize, total: blocks * bsize };
    },
    ready: () => tryWriting(join(root, `.ready-${randomId()}`)),
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
    throw blobFault(cause);
  }
}

async function removeFile(path: string): Promise<void> {
  await remove(path).catch((fault) => {
    if (!isKind(fault, 'missing')) throw fault;
  });
}

async function* listBlobs(root: string): AsyncGenerator<StoredBlob> {
  for (const folder of await entriesOf(root)) {
    if (!folder.isDirectory() || !FOLDER.test(folder.name)) continue;
    const entries = await entriesOf(join(root, folder.name));
    const keys = entries.filter((entry) => entry.isFile()).map((entry) => `${folder.name}/${entry.name}`);
    const ours = keys.filter((key) => isKey(key));
    for (let at = 0; at < ours.length; at += AT_ONCE) {
      const blobs = await Promise.all(ours.slice(at, at + AT_ONCE).map((key) => look(root, key)));
      yield* blobs.filter((blob) => blob !== undefined);
    }
  }
}

/** Undefined where it was removed meanwhile. */
async function look(root: string, key: string): Promise<StoredBlob | undefined> {
  try {
    const { size, mtimeMs } = await statAt(join(root, key));
    return { key, size, modifiedAt: Math.floor(mtimeMs) };
  } catch (fault) {
    if (isKind(fault, 'missing')) return undefined;
    throw fault;
  }
}

async function sizeAt(path: string): Promise<number | undefined> {
  try {
    const stats = await statAt(path);
    return stats.isFile() ? stats.size : undefined;
  } catch (fault) {
    if (isKind(fault, 'missing')) return undefined;
    throw fault;
  }
}

async function tryWriting(path: string): Promise<void> {
  const fd = await createFile(path);
  try {
    await append(fd, [Buffer.from('ready\n')]);
  } finally {
    await close(fd);
    await remove(path);
  }
}
