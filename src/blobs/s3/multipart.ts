import type { Readable } from 'node:stream';
import {
  AbortMultipartUploadCommand,
  type CompletedPart,
  CompleteMultipartUploadCommand,
  CreateMultipartUploadCommand,
  UploadPartCommand,
} from '@aws-sdk/client-s3';
import { BlobError } from '../contract.ts';
import type { MemoryLease } from './part-memory.ts';
import { createStreamedBody } from './streaming-handler.ts';
import { attemptMetadata, isOutcomeUnknown, isStoredByAttempt, type WriteAttempt } from './write-attempt.ts';

/** An upload in parts, one after the other. */
export interface MultipartSender {
  /** Sends the first `size` bytes of a lease, and ends it, while the caller gathers the next part. */
  send(lease: MemoryLease, size: number): Promise<void>;
  /** Sends the next `size` bytes of the source as they come. */
  stream(size: number): Promise<void>;
}

/** Putting ten thousand parts together takes its time. */
const COMPLETE_WITHIN = 300_000;
const MOST_PARTS = 10_000;

/**
 * Makes one object of the parts that `work` sends, and resolves with the size that it returns. Where anything fails,
 * no part is left.
 */
export async function uploadInParts(
  writing: WriteAttempt,
  work: (parts: MultipartSender) => Promise<number>,
): Promise<number> {
  const { clients, bucket, name } = writing;
  const place = { Bucket: bucket, Key: name };
  const begun = await clients.requests.send(
    new CreateMultipartUploadCommand({ ...place, Metadata: attemptMetadata(writing) }),
  );
  const upload = { ...place, UploadId: begun.UploadId };
  const sender = createSender(writing, upload);
  try {
    const size = await work(sender);
    await complete(writing, { ...upload, MultipartUpload: { Parts: await sender.done() } }, size);
    return size;
  } catch (failure) {
    // A part that is still on its way would be kept after the abort.
    await sender.stop();
    await clients.requests.send(new AbortMultipartUploadCommand(upload)).catch(() => undefined);
    throw failure;
  }
}

type Upload = { readonly Bucket: string; readonly Key: string; readonly UploadId: string | undefined };

function createSender({ clients, source }: WriteAttempt, upload: Upload) {
  const done: CompletedPart[] = [];
  const stopping = new AbortController();
  let onItsWay: Promise<void> = Promise.resolve();

  async function put(body: Buffer | Readable, size: number): Promise<void> {
    const number = done.length + 1;
    if (number > MOST_PARTS) throw new BlobError('full', 'The file is too large for S3.');
    const client = Buffer.isBuffer(body) ? clients.requests : clients.uploads;
    const order = { ...upload, PartNumber: number, Body: body, ContentLength: size };
    const { ETag } = await client.send(new UploadPartCommand(order), { abortSignal: stopping.signal });
    done.push({ PartNumber: number, ...(ETag !== undefined && { ETag }) });
  }

  async function putLease(lease: MemoryLease, size: number): Promise<void> {
    let isSent = false;
    try {
      await put(lease.buffer.subarray(0, size), size);
      isSent = true;
    } finally {
      lease.release(isSent);
    }
  }

  return {
    async send(lease: MemoryLease, size: number): Promise<void> {
      await onItsWay.catch((failure) => {
        lease.release(true);
        throw failure;
      });
      onItsWay = putLease(lease, size);
      onItsWay.catch(() => undefined);
    },
    async stream(size: number): Promise<void> {
      await onItsWay;
      await put(createStreamedBody(source, size), size);
    },
    async done(): Promise<CompletedPart[]> {
      await onItsWay;
      return done;
    },
    async stop(): Promise<void> {
      stopping.abort();
      await onItsWay.catch(() => undefined);
    },
  };
}

type Completion = ConstructorParameters<typeof CompleteMultipartUploadCommand>[0];

/** Asked twice, S3 no longer knows of the upload, although the first time has made the object. */
async function complete(writing: WriteAttempt, completion: Completion, size: number): Promise<void> {
  const order = new CompleteMultipartUploadCommand(completion);
  const { requests } = writing.clients;
  await requests.send(order, { requestTimeout: COMPLETE_WITHIN }).catch(async (cause) => {
    const mayBeDone = isOutcomeUnknown(cause) || cause.name === 'NoSuchUpload';
    if (!(mayBeDone && (await isStoredByAttempt(writing, size)))) throw cause;
  });
}
