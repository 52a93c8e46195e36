import {
  type CompletedPart,
  CreateMultipartUploadCommand,
  DeleteObjectCommand,
  PutObjectCommand,
  UploadPartCommand,
} from '@aws-sdk/client-s3';
import { tailKey } from '../../base/blob-keys.ts';
import { type AppendOptions, type AppendResult, BlobError, captureFailure } from '../contract.ts';
import { createChunkSource, fillBuffer } from './chunk-source.ts';
import { findMultipart, listParts } from './list-parts.ts';
import { completeUpload, partLengthFor } from './multipart.ts';
import type { MemoryLease } from './part-memory.ts';
import { openObject, readObjectSize } from './read.ts';
import { toS3BlobError } from './s3-error.ts';
import { putObject } from './write.ts';
import { attemptMetadata, type S3WriteOptions, type WriteAttempt } from './write-attempt.ts';

/*
 * A blob that is written by several calls. All parts but the last have the same length, which follows from the size of the blob.
 * So the offset determines which parts exist:
 *
 *   ├── part 1 ──┼── part 2 ──┼── tail ──┤          offset = 2 parts + tail
 *
 * S3 accepts no parts below 5 MiB, so bytes behind the last whole part are kept in another object, the tail. The next call reads
 * it back. A whole part is recorded (`onDurable`) before a new tail replaces the earlier one.
 */

type Batches = AsyncIterable<readonly Uint8Array[]>;

interface Append extends WriteAttempt {
  readonly options: AppendOptions;
  readonly partLength: number;
  readonly tailName: string;
}

/** Bytes that are collected for the next part. They begin after `wholeParts` parts. */
interface Position {
  wholeParts: number;
  filled: number;
  uploadId: string | undefined;
}

/** Implements `BlobStore.append`. */
export async function appendToObject(
  store: S3WriteOptions,
  name: string,
  batches: Batches,
  options: AppendOptions,
): Promise<AppendResult> {
  const source = captureFailure(batches);
  const chunks = createChunkSource(source.batches);
  // The key of a resumable upload belongs to no other upload, so it also identifies the object.
  const write: WriteAttempt = { ...store, name, source: chunks, attemptId: name };
  const partLength = partLengthFor(store.partSize, options.size);
  const append = { ...write, options, partLength, tailName: tailKey(name) };
  try {
    const offset = await run(append, () => source.failure() !== undefined);
    return { offset, ...source.failure() };
  } catch (failure) {
    chunks.cancel();
    throw toS3BlobError(failure);
  }
}

async function run(append: Append, hasFailed: () => boolean): Promise<number> {
  const { options, partLength } = append;
  const position = await findPosition(append);
  if (position === 'whole') return await skipRest(append);
  for (;;) {
    const start = position.wholeParts * partLength;
    const lease = await append.memory.acquire(Math.max(1, Math.min(partLength, options.size - start)));
    try {
      await fill(append, position, lease);
      if (position.filled < partLength) {
        const bytes = lease.buffer.subarray(0, position.filled);
        return await finish(append, position, bytes, hasFailed());
      }
      await sendPart(append, position, lease.buffer);
    } finally {
      lease.release(true);
    }
    await options.onDurable(position.wholeParts * partLength);
  }
}

/**
 * Returns whether an earlier call has completed the blob, although its upload could not be stored in the ledger then. If Porter was
 * killed before it recorded the end of the blob, the offset is that of an earlier part.
 */
async function isWhole(
  store: Pick<S3WriteOptions, 'clients' | 'bucket'>,
  name: string,
  { size }: Pick<AppendOptions, 'size'>,
): Promise<boolean> {
  return (await readObjectSize(store, name)) === size;
}

/** Reads the bytes that the client repeats, because the complete blob has them already. Returns the offset after them. */
async function skipRest(append: Append): Promise<number> {
  const { source, options, partLength } = append;
  let { offset } = options;
  for (;;) {
    const piece = await source.next(partLength);
    if (piece === undefined) break;
    offset += piece.length;
    if (offset > options.size) throw tooLong();
  }
  await removeTail(append);
  return offset;
}

const tooLong = () => new BlobError('failed', 'The body is longer than its declared size.');

/** Finds the multipart upload of the whole parts. Throws if it does not have them. Only a blob without one can be whole. */
async function findPosition(append: Append): Promise<Position | 'whole'> {
  const { clients, bucket, name, options, partLength } = append;
  const wholeParts = Math.floor(options.offset / partLength);
  if (options.offset === 0) return { wholeParts, filled: 0, uploadId: undefined };
  const uploadId = await findMultipart({ clients, bucket }, name);
  if (uploadId === undefined && (await isWhole(append, name, options))) return 'whole';
  if (wholeParts > 0 && uploadId === undefined) throw missing();
  return { wholeParts, filled: options.offset % partLength, uploadId };
}

const missing = () => new BlobError('missing', 'The bytes of an unfinished upload are missing.');

/** Fills the lease with the tail, if there is one, and the next bytes of the source. */
async function fill(append: Append, position: Position, { buffer }: MemoryLease): Promise<void> {
  if (position.filled > 0) await readTail(append, buffer.subarray(0, position.filled));
  position.filled += await fillBuffer(append.source, buffer.subarray(position.filled));
  const { options, partLength, source } = append;
  const isLast = position.wholeParts * partLength + position.filled >= options.size;
  // The source may still fail, or send too much.
  if (isLast && (await source.next(1)) !== undefined) throw tooLong();
}

async function readTail({ clients, bucket, tailName }: Append, target: Buffer): Promise<void> {
  const tail = await openObject({ clients, bucket }, tailName, { start: 0, end: target.length });
  if (!tail) throw missing();
  try {
    if (tail.size < target.length) throw missing();
    let at = 0;
    for await (const chunk of tail.read(0, target.length)) {
      target.set(chunk, at);
      at += chunk.length;
    }
  } finally {
    await tail.close();
  }
}

async function sendPart(append: Append, position: Position, body: Buffer): Promise<void> {
  const { clients, bucket, name } = append;
  const object = { Bucket: bucket, Key: name };
  position.uploadId ??= (
    await clients.requests.send(
      new CreateMultipartUploadCommand({ ...object, Metadata: attemptMetadata(append) }),
    )
  ).UploadId;
  const part = { UploadId: position.uploadId, PartNumber: position.wholeParts + 1 };
  await clients.requests.send(
    new UploadPartCommand({ ...object, ...part, Body: body, ContentLength: body.length }),
  );
  position.wholeParts += 1;
  position.filled = 0;
}

/** Stores the bytes behind the last whole part as the tail, or completes the blob with them. Returns the offset. */
async function finish(
  append: Append,
  position: Position,
  bytes: Buffer,
  hasFailed: boolean,
): Promise<number> {
  const { options, partLength } = append;
  const offset = position.wholeParts * partLength + position.filled;
  if (options.complete && !hasFailed && offset === options.size) await createBlob(append, position, bytes);
  else if (bytes.length > 0 && offset > options.offset) await writeTail(append, bytes);
  return offset;
}

async function writeTail({ clients, bucket, tailName }: Append, bytes: Buffer): Promise<void> {
  const object = { Bucket: bucket, Key: tailName, Body: bytes, ContentLength: bytes.length };
  await clients.requests.send(new PutObjectCommand(object));
}

async function createBlob(append: Append, position: Position, last: Buffer): Promise<void> {
  const { clients, bucket, name, options } = append;
  if (position.wholeParts === 0) await putObject(append, last, options.size);
  else {
    if (last.length > 0) await sendPart(append, position, last);
    const upload = { Bucket: bucket, Key: name, UploadId: position.uploadId };
    const parts = await listParts({ clients, bucket }, { name, id: position.uploadId ?? '' });
    const wanted = parts.filter(({ PartNumber = 0 }) => PartNumber <= position.wholeParts);
    checkSizes(wanted, append);
    const Parts: CompletedPart[] = wanted.map(({ PartNumber, ETag }) => ({
      PartNumber,
      ...(ETag !== undefined && { ETag }),
    }));
    await completeUpload(append, { ...upload, MultipartUpload: { Parts } }, options.size);
  }
  if (options.offset > 0) await removeTail(append);
}

async function removeTail({ clients, bucket, tailName }: Append): Promise<void> {
  await clients.requests.send(new DeleteObjectCommand({ Bucket: bucket, Key: tailName }));
}

/** Throws if the parts do not have the size of the blob: the configured part size may have changed while the upload paused. */
function checkSizes(parts: readonly { readonly Size?: number | undefined }[], { options }: Append): void {
  const sum = parts.reduce((total, { Size = 0 }) => total + Size, 0);
  if (sum !== options.size) throw missing();
}

/** Implements `BlobStore.canAppend`. */
export async function hasParts(
  store: S3WriteOptions,
  name: string,
  at: Pick<AppendOptions, 'offset' | 'size'>,
): Promise<boolean> {
  return (await hasUnfinishedParts(store, name, at)) || (await isWhole(store, name, at));
}

async function hasUnfinishedParts(
  store: S3WriteOptions,
  name: string,
  { offset, size }: Pick<AppendOptions, 'offset' | 'size'>,
): Promise<boolean> {
  const partLength = partLengthFor(store.partSize, size);
  const wholeParts = Math.floor(offset / partLength);
  const rest = offset % partLength;
  if (rest > 0 && ((await readObjectSize(store, tailKey(name))) ?? 0) < rest) return false;
  if (wholeParts === 0) return true;
  const id = await findMultipart(store, name);
  if (id === undefined) return false;
  const parts = await listParts(store, { name, id });
  return parts.filter(({ Size }) => Size === partLength).length >= wholeParts;
}
