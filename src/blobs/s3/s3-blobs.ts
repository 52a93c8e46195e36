import {
  DeleteObjectCommand,
  GetObjectCommand,
  HeadBucketCommand,
  PutObjectCommand,
} from '@aws-sdk/client-s3';
import { getSignedUrl } from '@aws-sdk/s3-request-presigner';
import { parsePartKey } from '../../base/blob-keys.ts';
import {
  type BlobStore,
  checkedBlobKey,
  findLostAndFoundName,
  formatMarker,
  LOST_AND_FOUND,
  MARKER_NAME,
  type PresignOptions,
  parseMarker,
  readBatches,
} from '../contract.ts';
import { appendToObject, hasParts } from './append.ts';
import { openS3Clients, type S3Clients, type S3Location } from './client.ts';
import { abortStaleUploads, listS3Blobs, removeObjects } from './list.ts';
import { openBucket } from './open-bucket.ts';
import { createPartMemory } from './part-memory.ts';
import { openObject, readObjectSize } from './read.ts';
import { parseSdkError, toS3BlobError, withBlobErrors } from './s3-error.ts';
import { writeObject } from './write.ts';
import type { S3WriteOptions } from './write-attempt.ts';

export interface S3BlobsOptions extends S3Location {
  /** Creates the bucket if it does not exist. */
  readonly create: boolean;
  /** Bytes of a part, at least 5 MiB. */
  readonly partSizeBytes?: number;
  /** Bytes of part buffers for all uploads together. */
  readonly writeMemoryBytes?: number;
}

const MIB = 1024 * 1024;
/** For this long after a write, `checkWritable` only checks that the bucket exists. */
const WRITABLE_FOR_MS = 60_000;

/**
 * Stores blobs as objects `prefix/ab/<id>.<ext>` of a bucket. Ignores objects with other names. Throws `BlobError` with a
 * text for the admin if the bucket cannot be used.
 */
export async function openS3Blobs(options: S3BlobsOptions): Promise<BlobStore> {
  const { bucket, prefix, create, partSizeBytes = 8 * MIB, writeMemoryBytes = 64 * MIB } = options;
  const clients = openS3Clients(options);
  try {
    await openBucket(clients, options, create);
  } catch (error) {
    clients.close();
    throw error;
  }
  const base = prefix === '' ? '' : `${prefix}/`;
  const store = {
    clients,
    bucket,
    base,
    partSize: partSizeBytes,
    memory: createPartMemory(writeMemoryBytes),
  };
  const toObjectName = (key: string) => base + checkedBlobKey(key);
  let writtenAt = Number.NEGATIVE_INFINITY;

  return {
    async put(key, batches, size) {
      const written = await writeObject(store, toObjectName(key), batches, size);
      writtenAt = performance.now();
      return written;
    },
    async append(key, batches, options) {
      const result = await appendToObject(store, toObjectName(key), batches, options);
      writtenAt = performance.now();
      return result;
    },
    canAppend: async (key, at) => withBlobErrors(hasParts(store, toObjectName(key), at)),
    open: async (key, first) => openObject(store, toObjectName(key), first),
    size: async (key) => readObjectSize(store, toObjectName(key)),
    remove: (keys) => removeObjects(store, keys),
    moveToLostAndFound: (key) => withBlobErrors(moveObjectToLostAndFound(store, checkedBlobKey(key))),
    list: (filter) => listS3Blobs(store, filter),
    removeAbandonedWrites: (before) => withBlobErrors(abortStaleUploads(store, before)),
    presignUrl: async (key, options) => presign(store, toObjectName(key), options),
    space: async () => undefined,
    async checkWritable() {
      if (performance.now() - writtenAt < WRITABLE_FOR_MS) {
        await withBlobErrors(clients.requests.send(new HeadBucketCommand({ Bucket: bucket })));
        return;
      }
      await writeTestObject(store);
      writtenAt = performance.now();
    },
    readIdentity: () => readMarkerObject(store),
    writeIdentity: (id) => writeMarkerObject(store, id),
    close: async () => clients.close(),
  };
}

interface S3Store {
  readonly clients: S3Clients;
  readonly bucket: string;
  readonly base: string;
}

async function writeTestObject({ clients: { requests }, bucket, base }: S3Store): Promise<void> {
  const object = { Bucket: bucket, Key: `${base}.ready` };
  await withBlobErrors(requests.send(new PutObjectCommand({ ...object, Body: Buffer.from('ready\n') })));
  await withBlobErrors(requests.send(new DeleteObjectCommand(object)));
}

async function presign({ clients, bucket }: S3Store, name: string, options: PresignOptions): Promise<string> {
  const { type, disposition, cacheControl, signedAt, lifetimeSeconds } = options;
  const command = new GetObjectCommand({
    Bucket: bucket,
    Key: name,
    ResponseContentType: type,
    ResponseContentDisposition: disposition,
    ResponseCacheControl: cacheControl,
  });
  const signed = getSignedUrl(clients.presigner, command, {
    signingDate: new Date(signedAt),
    expiresIn: lifetimeSeconds,
  });
  return await withBlobErrors(signed);
}

/**
 * Implements `BlobStore.moveToLostAndFound`. Copies the bytes through this process, because CopyObject is limited to 5 GB. An
 * unfinished multipart upload has no object that could be moved: it is aborted, as every sweep does.
 */
async function moveObjectToLostAndFound(
  store: S3Store & S3WriteOptions,
  key: string,
): Promise<string | undefined> {
  const name = parsePartKey(key) === undefined ? await copyToLostAndFound(store, key) : undefined;
  await removeObjects(store, [key]);
  return name;
}

/** Resolves once the copy is complete. Resolves with undefined if there is no such blob. */
async function copyToLostAndFound(store: S3Store & S3WriteOptions, key: string): Promise<string | undefined> {
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

/** Returns the id in the marker object, or undefined if the bucket has none below the prefix. */
async function readMarkerObject({
  clients: { requests },
  bucket,
  base,
}: S3Store): Promise<string | undefined> {
  try {
    const { Body } = await requests.send(new GetObjectCommand({ Bucket: bucket, Key: base + MARKER_NAME }));
    return parseMarker((await Body?.transformToString()) ?? '');
  } catch (cause) {
    if (parseSdkError(cause).code !== 'NoSuchKey') throw toS3BlobError(cause);
    // Distinguishes a missing bucket from a missing object, for stores that answer both with one code.
    await withBlobErrors(requests.send(new HeadBucketCommand({ Bucket: bucket })));
    return undefined;
  }
}

async function writeMarkerObject(
  { clients: { requests }, bucket, base }: S3Store,
  id: string,
): Promise<void> {
  const object = { Bucket: bucket, Key: base + MARKER_NAME, ContentType: 'text/plain' };
  await withBlobErrors(
    requests.send(new PutObjectCommand({ ...object, Body: Buffer.from(formatMarker(id)) })),
  );
}
