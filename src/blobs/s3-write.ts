import type { Readable } from 'node:stream';
import { PutObjectCommand } from '@aws-sdk/client-s3';
import { randomId } from '../base/ids.ts';
import { s3Fault } from './s3-fault.ts';
import type { Lease } from './s3-memory.ts';
import { inParts } from './s3-parts.ts';
import { fill, sourceOf } from './s3-source.ts';
import { streamedBody } from './s3-stream.ts';
import { isStored, isUnclear, markOf, type S3WriteDeps, type Writing } from './s3-writing.ts';

type Batches = AsyncIterable<readonly Uint8Array[]>;

const MOST_PARTS = 10_000;
const MIB = 1024 * 1024;

/**
 * Writes an object and resolves with its bytes. Parts are gathered in memory, and sent when they are whole, as long as
 * there is room; beyond it, where the size is known, bytes flow through as they come. @throws BlobFault
 */
export async function writeObject(
  deps: S3WriteDeps,
  name: string,
  batches: Batches,
  size: number | undefined,
): Promise<number> {
  const source = sourceOf(batches, size);
  const writing: Writing = { ...deps, name, source, attempt: randomId() };
  try {
    if (!size) return await writeUnknown(writing);
    await (size <= deps.partSize ? writeSingle(writing, size) : writeParts(writing, size));
    return size;
  } catch (failure) {
    source.stop();
    throw source.failure() ?? s3Fault(failure);
  }
}

/** In one request: the object is there whole, or not at all. */
async function writeSingle(writing: Writing, size: number): Promise<void> {
  const lease = writing.memory.take(size);
  if (!lease) return putObject(writing, streamedBody(writing.source, size), size);
  await gather(writing, lease);
  await putLease(writing, lease, size);
}

async function writeParts(writing: Writing, size: number): Promise<void> {
  const length = Math.max(writing.partSize, Math.ceil(size / MOST_PARTS / MIB) * MIB);
  await inParts(writing, async (parts) => {
    for (let left = size; left > 0; left -= length) {
      const bytes = Math.min(length, left);
      const lease = writing.memory.take(bytes);
      if (lease) await parts.send(lease, await gather(writing, lease));
      else await parts.stream(bytes);
    }
    return size;
  });
}

/** Where nobody says how much will come, each part waits for its room. */
async function writeUnknown(writing: Writing): Promise<number> {
  const { memory, partSize } = writing;
  const first = await memory.wait(partSize);
  const bytes = await gather(writing, first);
  if (bytes < partSize) {
    await putLease(writing, first, bytes);
    return bytes;
  }
  return await inParts(writing, async (parts) => {
    let size = bytes;
    await parts.send(first, bytes);
    for (let more = bytes; more === partSize; size += more) {
      const lease = await memory.wait(partSize);
      more = await gather(writing, lease);
      if (more > 0) await parts.send(lease, more);
      else lease.end(true);
    }
    return size;
  });
}

/** Fills a lease from the source, as far as that goes; the lease has ended where it fails. */
async function gather({ source }: Writing, lease: Lease): Promise<number> {
  try {
    return await fill(source, lease.buffer);
  } catch (failure) {
    lease.end(true);
    throw failure;
  }
}

async function putLease(writing: Writing, lease: Lease, size: number): Promise<void> {
  let isSent = false;
  try {
    await putObject(writing, lease.buffer.subarray(0, size), size);
    isSent = true;
  } finally {
    lease.end(isSent);
  }
}

async function putObject(writing: Writing, body: Buffer | Readable, size: number): Promise<void> {
  const { clients, bucket, name } = writing;
  const client = Buffer.isBuffer(body) ? clients.short : clients.streams;
  const order = { Bucket: bucket, Key: name, Body: body, ContentLength: size, Metadata: markOf(writing) };
  await client.send(new PutObjectCommand(order)).catch(async (cause) => {
    const mayBeDone = writing.source.failure() === undefined && isUnclear(cause);
    if (!(mayBeDone && (await isStored(writing, size)))) throw cause;
  });
}
