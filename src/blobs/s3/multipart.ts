import type { Readable } from 'node:stream';
import {
  AbortMultipartUploadCommand,
  type CompletedPart,
  CompleteMultipartUploadCommand,
  CreateMultipartUploadCommand,
  UploadPartCommand,
} from '@aws-sdk/client-s3';
import { BlobError } from '../contract.ts';
import { type MemoryLease, sendLease } from './part-memory.ts';
import { createStreamedBody } from './streaming-handler.ts';
import { attemptMetadata, isOutcomeUnknown, isStoredByAttempt, type WriteAttempt } from './write-attempt.ts';

/** Sends the parts of a multipart upload: those in memory at the same time, those that are streamed one by one. */
export interface MultipartSender {
  /** Sends the first `size` bytes of a lease in the background and releases it. The caller collects the next parts meanwhile. */
  send(lease: MemoryLease, size: number): Promise<void>;
  /** Sends the next `size` bytes of the source as they arrive. */
  stream(size: number): Promise<void>;
}

/** S3 may need minutes to combine ten thousand parts. */
const COMPLETE_TIMEOUT_MS = 300_000;
/** Maximum number of parts that S3 accepts. */
const MAX_PARTS = 10_000;
const MIB = 1024 * 1024;

/** Returns the length of all parts but the last: `partSize`, or more if a blob of `size` bytes would have too many parts. */
export function partLengthFor(partSize: number, size: number): number {
  return Math.max(partSize, Math.ceil(size / MAX_PARTS / MIB) * MIB);
}

/**
 * Creates one object from the parts that `work` sends, and resolves with the size that `work` returns. Removes all parts
 * after a failure.
 */
export async function uploadInParts(
  write: WriteAttempt,
  work: (parts: MultipartSender) => Promise<number>,
): Promise<number> {
  const { clients, bucket, name } = write;
  const object = { Bucket: bucket, Key: name };
  const created = await clients.requests.send(
    new CreateMultipartUploadCommand({ ...object, Metadata: attemptMetadata(write) }),
  );
  const upload = { ...object, UploadId: created.UploadId };
  const sender = createSender(write, upload);
  try {
    const size = await work(sender);
    await completeUpload(write, { ...upload, MultipartUpload: { Parts: await sender.done() } }, size);
    return size;
  } catch (failure) {
    // S3 would keep a part that arrives after the abort.
    await sender.stop();
    await clients.requests.send(new AbortMultipartUploadCommand(upload)).catch(() => undefined);
    throw failure;
  }
}

type Upload = { readonly Bucket: string; readonly Key: string; readonly UploadId: string | undefined };

/** Maximum number of parts that are sent at the same time. More would take memory from other uploads. */
const PARALLEL_PARTS = 3;

function createSender({ clients, source }: WriteAttempt, upload: Upload) {
  const done: CompletedPart[] = [];
  const stopping = new AbortController();
  const sending = new Set<Promise<void>>();
  let failure: { readonly cause: unknown } | undefined;
  let count = 0;

  function nextNumber(): number {
    count += 1;
    if (count > MAX_PARTS) throw new BlobError('full', 'The file is too large for S3.');
    return count;
  }

  async function put(body: Buffer | Readable, size: number, number: number): Promise<void> {
    const ETag = (await putDirectly(body, number)) ?? (await putWithSdk(body, size, number));
    done.push({ PartNumber: number, ...(ETag !== undefined && { ETag }) });
  }

  async function putDirectly(body: Buffer | Readable, number: number): Promise<string | undefined> {
    if (!Buffer.isBuffer(body)) return undefined;
    const query = { partNumber: String(number), uploadId: upload.UploadId ?? '' };
    const stored = await clients.direct.put(upload.Key, body, { query, signal: stopping.signal });
    return stored?.etag;
  }

  async function putWithSdk(
    body: Buffer | Readable,
    size: number,
    number: number,
  ): Promise<string | undefined> {
    const client = Buffer.isBuffer(body) ? clients.requests : clients.uploads;
    const params = { ...upload, PartNumber: number, Body: body, ContentLength: size };
    const { ETag } = await client.send(new UploadPartCommand(params), { abortSignal: stopping.signal });
    return ETag;
  }

  function start(lease: MemoryLease, size: number, number: number): void {
    const part: Promise<void> = sendLease(lease, size, (body, length) => put(body, length, number))
      .catch((cause: unknown) => {
        failure ??= { cause };
      })
      .finally(() => sending.delete(part));
    sending.add(part);
  }

  /** Resolves once fewer than `limit` parts are being sent. Throws if one has failed. */
  async function waitUntilBelow(limit: number): Promise<void> {
    while (failure === undefined && sending.size >= limit) await Promise.race(sending);
    if (failure) throw failure.cause;
  }

  return {
    async send(lease: MemoryLease, size: number): Promise<void> {
      try {
        await waitUntilBelow(PARALLEL_PARTS);
        start(lease, size, nextNumber());
      } catch (cause) {
        lease.release(true);
        throw cause;
      }
    },
    async stream(size: number): Promise<void> {
      await waitUntilBelow(1);
      await put(createStreamedBody(source, size), size, nextNumber());
    },
    /** S3 requires the parts in the order of their numbers. */
    async done(): Promise<CompletedPart[]> {
      await waitUntilBelow(1);
      return done.toSorted((one, other) => (one.PartNumber ?? 0) - (other.PartNumber ?? 0));
    },
    async stop(): Promise<void> {
      stopping.abort();
      await Promise.all(sending);
    },
  };
}

type Completion = ConstructorParameters<typeof CompleteMultipartUploadCommand>[0];

/**
 * Completes a multipart upload of `size` bytes. A repeated request can fail with NoSuchUpload although the first one has created
 * the object. So this fails only if the object is not the one of this attempt.
 */
export async function completeUpload(
  write: WriteAttempt,
  completion: Completion,
  size: number,
): Promise<void> {
  const command = new CompleteMultipartUploadCommand(completion);
  const { requests } = write.clients;
  await requests.send(command, { requestTimeout: COMPLETE_TIMEOUT_MS }).catch(async (cause) => {
    const mayBeDone = isOutcomeUnknown(cause) || cause.name === 'NoSuchUpload';
    if (!(mayBeDone && (await isStoredByAttempt(write, size)))) throw cause;
  });
}
