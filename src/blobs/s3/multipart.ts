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

/** Sends the parts of a multipart upload, one after the other. */
export interface MultipartSender {
  /** Sends the first `size` bytes of a lease in the background and releases it. The caller collects the next part meanwhile. */
  send(lease: MemoryLease, size: number): Promise<void>;
  /** Sends the next `size` bytes of the source as they arrive. */
  stream(size: number): Promise<void>;
}

/** S3 may need minutes to combine ten thousand parts. */
const COMPLETE_TIMEOUT_MS = 300_000;
/** The limit of S3. */
export const MAX_PARTS = 10_000;

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
    await complete(write, { ...upload, MultipartUpload: { Parts: await sender.done() } }, size);
    return size;
  } catch (failure) {
    // S3 would keep a part that arrives after the abort.
    await sender.stop();
    await clients.requests.send(new AbortMultipartUploadCommand(upload)).catch(() => undefined);
    throw failure;
  }
}

type Upload = { readonly Bucket: string; readonly Key: string; readonly UploadId: string | undefined };

function createSender({ clients, source }: WriteAttempt, upload: Upload) {
  const done: CompletedPart[] = [];
  const stopping = new AbortController();
  let sending: Promise<void> = Promise.resolve();

  async function put(body: Buffer | Readable, size: number): Promise<void> {
    const number = done.length + 1;
    if (number > MAX_PARTS) throw new BlobError('full', 'The file is too large for S3.');
    const client = Buffer.isBuffer(body) ? clients.requests : clients.uploads;
    const params = { ...upload, PartNumber: number, Body: body, ContentLength: size };
    const { ETag } = await client.send(new UploadPartCommand(params), { abortSignal: stopping.signal });
    done.push({ PartNumber: number, ...(ETag !== undefined && { ETag }) });
  }

  return {
    async send(lease: MemoryLease, size: number): Promise<void> {
      await sending.catch((failure) => {
        lease.release(true);
        throw failure;
      });
      sending = sendLease(lease, size, put);
      sending.catch(() => undefined);
    },
    async stream(size: number): Promise<void> {
      await sending;
      await put(createStreamedBody(source, size), size);
    },
    async done(): Promise<CompletedPart[]> {
      await sending;
      return done;
    },
    async stop(): Promise<void> {
      stopping.abort();
      await sending.catch(() => undefined);
    },
  };
}

type Completion = ConstructorParameters<typeof CompleteMultipartUploadCommand>[0];

/** A retried request can fail with NoSuchUpload although the first one has created the object. */
async function complete(write: WriteAttempt, completion: Completion, size: number): Promise<void> {
  const command = new CompleteMultipartUploadCommand(completion);
  const { requests } = write.clients;
  await requests.send(command, { requestTimeout: COMPLETE_TIMEOUT_MS }).catch(async (cause) => {
    const mayBeDone = isOutcomeUnknown(cause) || cause.name === 'NoSuchUpload';
    if (!(mayBeDone && (await isStoredByAttempt(write, size)))) throw cause;
  });
}
