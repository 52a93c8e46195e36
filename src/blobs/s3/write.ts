import type { Readable } from 'node:stream';
import { PutObjectCommand } from '@aws-sdk/client-s3';
import { randomId } from '../../base/ids.ts';
import { createChunkSource, fillBuffer } from './chunk-source.ts';
import { partLengthFor, uploadInParts } from './multipart.ts';
import { type MemoryLease, sendLease } from './part-memory.ts';
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

/**
 * Writes an object and resolves with its size. Collects each part in memory before it is sent, as long as there is memory.
 * Otherwise, if the size is known, sends the bytes as they arrive. Throws the source's own error, or `BlobError`.
 */
export async function writeObject(
  options: S3WriteOptions,
  name: string,
  batches: Batches,
  size: number | undefined,
): Promise<number> {
  const source = createChunkSource(batches, size);
  const write: WriteAttempt = { ...options, name, source, attemptId: randomId() };
  try {
    if (!size) return await writeUnknownSize(write);
    await (size <= options.partSize ? writeSingle(write, size) : writeParts(write, size));
    return size;
  } catch (failure) {
    source.cancel();
    throw source.failure() ?? toS3BlobError(failure);
  }
}

/** Sends one request, so the object is complete or does not exist. */
async function writeSingle(write: WriteAttempt, size: number): Promise<void> {
  const lease = write.memory.tryAcquire(size);
  if (!lease) return putObject(write, createStreamedBody(write.source, size), size);
  await fillLease(write, lease);
  await sendLease(lease, size, (body, length) => putObject(write, body, length));
}

async function writeParts(write: WriteAttempt, size: number): Promise<void> {
  const length = partLengthFor(write.partSize, size);
  await uploadInParts(write, async (parts) => {
    for (let left = size; left > 0; left -= length) {
      const bytes = Math.min(length, left);
      const lease = write.memory.tryAcquire(bytes);
      if (lease) await parts.send(lease, await fillLease(write, lease));
      else await parts.stream(bytes);
    }
    return size;
  });
}

/** Without a known size, each part waits for memory. */
async function writeUnknownSize(write: WriteAttempt): Promise<number> {
  const { memory, partSize } = write;
  const first = await memory.acquire(partSize);
  const bytes = await fillLease(write, first);
  if (bytes < partSize) {
    await sendLease(first, bytes, (body, length) => putObject(write, body, length));
    return bytes;
  }
  return await uploadInParts(write, async (parts) => {
    let size = bytes;
    await parts.send(first, bytes);
    for (let more = bytes; more === partSize; size += more) {
      const lease = await memory.acquire(partSize);
      more = await fillLease(write, lease);
      if (more > 0) await parts.send(lease, more);
      else lease.release(true);
    }
    return size;
  });
}

/** Fills a lease from the source and returns the number of bytes. Releases the lease after a failure. */
async function fillLease({ source }: WriteAttempt, lease: MemoryLease): Promise<number> {
  try {
    return await fillBuffer(source, lease.buffer);
  } catch (failure) {
    lease.release(true);
    throw failure;
  }
}

/** Writes an object with one request. The SDK repeats it if it fails and the body can be sent again. */
export async function putObject(write: WriteAttempt, body: Buffer | Readable, size: number): Promise<void> {
  const { clients, bucket, name } = write;
  const metadata = attemptMetadata(write);
  if (Buffer.isBuffer(body) && (await clients.direct.put(name, body, { metadata }))) return;
  const client = Buffer.isBuffer(body) ? clients.requests : clients.uploads;
  const params = {
    Bucket: bucket,
    Key: name,
    Body: body,
    ContentLength: size,
    Metadata: metadata,
  };
  await client.send(new PutObjectCommand(params)).catch(async (cause) => {
    const mayBeDone = write.source.failure() === undefined && isOutcomeUnknown(cause);
    if (!(mayBeDone && (await isStoredByAttempt(write, size)))) throw cause;
  });
}
