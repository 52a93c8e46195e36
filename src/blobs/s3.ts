import {
  DeleteObjectCommand,
  GetObjectCommand,
  HeadBucketCommand,
  PutObjectCommand,
} from '@aws-sdk/client-s3';
import { getSignedUrl } from '@aws-sdk/s3-request-presigner';
import type { Blobs, LinkOrder } from './contract.ts';
import { checkedKey } from './keys.ts';
import { openClients, type S3Clients, type S3Place } from './s3-client.ts';
import { translated } from './s3-fault.ts';
import { listAll, removeObjects, removeStale } from './s3-list.ts';
import { createPartMemory } from './s3-memory.ts';
import { openObject, sizeOfObject } from './s3-read.ts';
import { openBucket } from './s3-start.ts';
import { writeObject } from './s3-write.ts';

export interface S3BlobsOptions extends S3Place {
  /** Make the bucket where there is none. */
  readonly create: boolean;
  /** Bytes of a part, at least 5 MiB. */
  readonly partSize?: number;
  /** Bytes that all uploads together may hold until their parts are whole. */
  readonly writeMemory?: number;
}

const MIB = 1024 * 1024;
/** A store that has taken a write within so many milliseconds is only asked whether it is there. */
const PROVEN_FOR = 60_000;

/**
 * Blobs as objects `prefix/ab/<id>.<ext>` of a bucket. Objects with other names are not ours and are left alone.
 * @throws BlobFault where the bucket cannot be used, in words for an admin
 */
export async function openS3Blobs(options: S3BlobsOptions): Promise<Blobs> {
  const { bucket, prefix, create, partSize = 8 * MIB, writeMemory = 64 * MIB } = options;
  const clients = openClients(options);
  try {
    await openBucket(clients, options, create);
  } catch (fault) {
    clients.close();
    throw fault;
  }
  const base = prefix === '' ? '' : `${prefix}/`;
  const deps = { clients, bucket, base, partSize, memory: createPartMemory(writeMemory) };
  const nameOf = (key: string) => base + checkedKey(key);
  let provenAt = Number.NEGATIVE_INFINITY;

  return {
    async put(key, batches, size) {
      const written = await writeObject(deps, nameOf(key), batches, size);
      provenAt = performance.now();
      return written;
    },
    open: async (key, first) => openObject(deps, nameOf(key), first),
    size: async (key) => sizeOfObject(deps, nameOf(key)),
    remove: async (keys) => translated(removeObjects(deps, keys.map(checkedKey))),
    list: () => listAll(deps),
    tidy: (before) => translated(removeStale(deps, before)),
    link: async (key, order) => linkTo(deps, nameOf(key), order),
    space: async () => undefined,
    async ready() {
      if (performance.now() - provenAt < PROVEN_FOR) {
        await translated(clients.short.send(new HeadBucketCommand({ Bucket: bucket })));
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

async function tryWriting({ clients: { short }, bucket, base }: Place): Promise<void> {
  const place = { Bucket: bucket, Key: `${base}.ready` };
  await translated(short.send(new PutObjectCommand({ ...place, Body: Buffer.from('ready\n') })));
  await translated(short.send(new DeleteObjectCommand(place)));
}

async function linkTo({ clients, bucket }: Place, name: string, order: LinkOrder): Promise<string> {
  const { type, disposition, cacheControl, signedAt, lifetime } = order;
  const command = new GetObjectCommand({
    Bucket: bucket,
    Key: name,
    ResponseContentType: type,
    ResponseContentDisposition: disposition,
    ResponseCacheControl: cacheControl,
  });
  const signed = getSignedUrl(clients.links, command, {
    signingDate: new Date(signedAt),
    expiresIn: lifetime,
  });
  return await translated(signed);
}
