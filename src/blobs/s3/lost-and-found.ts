import { parsePartKey } from '../../base/blob-keys.ts';
import { findLostAndFoundName, LOST_AND_FOUND, type OpenBlob } from '../contract.ts';
import { removeObjects } from './list.ts';
import { openObject, readObjectSize } from './read.ts';
import { writeObject } from './write.ts';
import type { S3WriteOptions } from './write-attempt.ts';

interface S3Store extends S3WriteOptions {
  /** Prefix of every object name before the key. */
  readonly base: string;
}

/**
 * Implements `BlobStore.moveToLostAndFound`. Copies the bytes through this process, because CopyObject is limited to 5 GB. An
 * unfinished multipart upload has no object that could be moved: it is aborted, as every sweep does.
 */
export async function moveObjectToLostAndFound(store: S3Store, key: string): Promise<string | undefined> {
  const name = parsePartKey(key) === undefined ? await copyToLostAndFound(store, key) : undefined;
  await removeObjects(store, [key]);
  return name;
}

/** Resolves once the copy is complete. Resolves with undefined if there is no such blob. */
async function copyToLostAndFound(store: S3Store, key: string): Promise<string | undefined> {
  const blob = await openObject(store, store.base + key, undefined);
  if (!blob) return undefined;
  try {
    const pathOf = (name: string) => `${LOST_AND_FOUND}/${name}`;
    const isFree = async (name: string) =>
      (await readObjectSize(store, store.base + pathOf(name))) === undefined;
    const name = pathOf(await findLostAndFoundName(key, isFree));
    await writeObject(store, store.base + name, readBatches(blob), blob.size);
    return name;
  } finally {
    await blob.close();
  }
}

async function* readBatches(blob: OpenBlob): AsyncGenerator<readonly Uint8Array[]> {
  for await (const chunk of blob.read(0, blob.size)) yield [chunk];
}
