import {
  DeleteObjectCommand,
  GetObjectCommand,
  HeadBucketCommand,
  PutObjectCommand,
} from '@aws-sdk/client-s3';
import { getSignedUrl } from '@aws-sdk/s3-request-presigner';
import type { BlobStore, PresignOptions } from '../contract.ts';
import { checkedBlobKey } from '../keys.ts';
import { openS3Clients, type S3Clients, type S3Location } from './client.ts';
import { abortStaleUploads, listS3Blobs, removeObjects } from './list.ts';
import { openBucket } from './open-bucket.ts';
import { createPartMemory } from './part-memory.ts';
import { openObject, readObjectSize } from './read.ts';
import { withBlobErrors } from './s3-error.ts';
import { writeObject } from './write.ts';

export interface S3BlobsOptions extends S3Location {
  /** Make the bucket where there is none. */
  readonly create: boolean;
  /** Bytes of a part, at least 5 MiB. */
  readonly partSizeBytes?: number;
  /** Bytes that all uploads together may hold until their parts are whole. */
  readonly writeMemoryBytes?: number;
}

const MIB = 1024 * 1024;
/** A store that has taken a write within so many milliseconds is only asked whether it is there. */
const PROVEN_FOR = 60_000;

/**
 * Blobs as objects `prefix/ab/<id>.<ext>` of a bucket. Objects with other names are not ours and are left alone.
 * @throws BlobError where the bucket cannot be used, in words for an admin
 */
export async function openS3Blobs(options: S3BlobsOptions): Promise<BlobStore> {
  const { bucket, prefix, create, partSizeBytes = 8 * MIB, writeMemoryBytes = 64 * MIB } = options;
  const clients = openS3Clients(options);
  try {
    await openBucket(clients, options, create);
  } catch (fault) {
    clients.close();
    throw fault;
  }
  const base = prefix === '' ? '' : `${prefix}/`;
  const deps = { clients, bucket, base, partSize: partSizeBytes, memory: createPartMemory(writeMemoryBytes) };
  const nameOf = (key: string) => base + checkedBlobKey(key);
  let provenAt = Number.NEGATIVE_INFINITY;

  return {
    async put(key, batches, size) {
      const written = await writeObject(deps, nameOf(key), batches, size);
      provenAt = performance.now();
      return written;
    },
    open: async (key, first) => openObject(deps, nameOf(key), first),
    size: async (key) => readObjectSize(deps, nameOf(key)),
    remove: async (keys) => withBlobErrors(removeObjects(deps, keys.map(checkedBlobKey))),
    list: () => listS3Blobs(deps),
    removeAbandonedWrites: (before) => withBlobErrors(abortStaleUploads(deps, before)),
    presignUrl: async (key, order) => linkTo(deps, nameOf(key), order),
    space: async () => undefined,
    async checkWritable() {
      if (performance.now() - provenAt < PROVEN_FOR) {
        await withBlobErrors(clients.requests.send(new HeadBucketCommand({ Bucket: bucket })));
        return;
      }
      await tryWriting(deps);
      provenAt = performance.now();
    },
    close: async () => clients.close(),
  };
}

interface Place {
  readonly clients: S3Clients;
  readonly bucket: string;
  readonly base: string;
}

async function tryWriting({ clients: { requests }, bucket, base }: Place): Promise<void> {
  const place = { Bucket: bucket, Key: `${base}.ready` };
  await withBlobErrors(requests.send(new PutObjectCommand({ ...place, Body: Buffer.from('ready\n') })));
  await withBlobErrors(requests.send(new DeleteObjectCommand(place)));
}

async function linkTo({ clients, bucket }: Place, name: string, order: PresignOptions): Promise<string> {
  const { type, disposition, cacheControl, signedAt, lifetimeSeconds } = order;
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
