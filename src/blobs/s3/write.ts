import type { Readable } from 'node:stream';
import { PutObjectCommand } from '@aws-sdk/client-s3';
import { randomId } from '../../base/ids.ts';
import { createChunkSource, fillBuffer } from './chunk-source.ts';
import { uploadInParts } from './multipart.ts';
import type { MemoryLease } from './part-memory.ts';
import { toS3BlobError } from './s3-error.ts';
import { createStreamedBody } from './streaming-handler.ts';
import {
  attemptMetadata,
  isOutcomeUnknown,
  isStoredByAttempt,
  type S3WriteOptions,
  type WriteAttempt,
} from './write-attempt.ts';

type Batches = AsyncIterable<readonly Uint8Array[]>;

const MOST_PARTS = 10_000;
const MIB = 1024 * 1024;

/**
 * Writes an object and resolves with its bytes. Parts are gathered in memory, and sent when they are whole, as long as
 * there is room; beyond it, where the size is known, bytes flow through as they come. @throws BlobError
 */
export async function writeObject(
  deps: S3WriteOptions,
  name: string,
  batches: Batches,
  size: number | undefined,
): Promise<number> {
  const source = createChunkSource(batches, size);
  const writing: WriteAttempt = { ...deps, name, source, attemptId: randomId() };
  try {
    if (!size) return await writeUnknown(writing);
    await (size <= deps.partSize ? writeSingle(writing, size) : writeParts(writing, size));
    return size;
  } catch (failure) {
    source.cancel();
    throw source.failure() ?? toS3BlobError(failure);
  }
}

/** In one request: the object is there whole, or not at all. */
async function writeSingle(writing: WriteAttempt, size: number): Promise<void> {
  const lease = writing.memory.tryAcquire(size);
  if (!lease) return putObject(writing, createStreamedBody(writing.source, size), size);
  await gather(writing, lease);
  await putLease(writing, lease, size);
}

async function writeParts(writing: WriteAttempt, size: number): Promise<void> {
  const length = Math.max(writing.partSize, Math.ceil(size / MOST_PARTS / MIB) * MIB);
  await uploadInParts(writing, async (parts) => {
    for (let left = size; left > 0; left -= length) {
      const bytes = Math.min(length, left);
      const lease = writing.memory.tryAcquire(bytes);
      if (lease) await parts.send(lease, await gather(writing, lease));
      else await parts.stream(bytes);
    }
    return size;
  });
}

/** Where nobody says how much will come, each part waits for its room. */
async function writeUnknown(writing: WriteAttempt): Promise<number> {
  const { memory, partSize } = writing;
  const first = await memory.acquire(partSize);
  const bytes = await gather(writing, first);
  if (bytes < partSize) {
    await putLease(writing, first, bytes);
    return bytes;
  }
  return await uploadInParts(writing, async (parts) => {
    let size = bytes;
    await parts.send(first, bytes);
    for (let more = bytes; more === partSize; size += more) {
      const lease = await memory.acquire(partSize);
      more = await gather(writing, lease);
      if (more > 0) await parts.send(lease, more);
      else lease.release(true);
    }
    return size;
  });
}

/** Fills a lease from the source, as far as that goes; the lease has ended where it fails. */
async function gather({ source }: WriteAttempt, lease: MemoryLease): Promise<number> {
  try {
    return await fillBuffer(source, lease.buffer);
  } catch (failure) {
    lease.release(true);
    throw failure;
  }
}

async function putLease(writing: WriteAttempt, lease: MemoryLease, size: number): Promise<void> {
  let isSent = false;
  try {
    await putObject(writing, lease.buffer.subarray(0, size), size);
    isSent = true;
  } finally {
    lease.release(isSent);
  }
}

async function putObject(writing: WriteAttempt, body: Buffer | Readable, size: number): Promise<void> {
  const { clients, bucket, name } = writing;
  const client = Buffer.isBuffer(body) ? clients.requests : clients.uploads;
  const order = {
    Bucket: bucket,
    Key: name,
    Body: body,
    ContentLength: size,
    Metadata: attemptMetadata(writing),
  };
  await client.send(new PutObjectCommand(order)).catch(async (cause) => {
    const mayBeDone = writing.source.failure() === undefined && isOutcomeUnknown(cause);
    if (!(mayBeDone && (await isStoredByAttempt(writing, size)))) throw cause;
  });
}
