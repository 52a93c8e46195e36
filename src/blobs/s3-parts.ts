import type { Readable } from 'node:stream';
import {
  AbortMultipartUploadCommand,
  type CompletedPart,
  CompleteMultipartUploadCommand,
  CreateMultipartUploadCommand,
  UploadPartCommand,
} from '@aws-sdk/client-s3';
import { BlobFault } from './contract.ts';
import type { Lease } from './s3-memory.ts';
import { streamedBody } from './s3-stream.ts';
import { isStored, isUnclear, markOf, type Writing } from './s3-writing.ts';

/** An upload in parts, one after the other. */
export interface Parts {
  /** Sends the first `size` bytes of a lease, and ends it, while the caller gathers the next part. */
  send(lease: Lease, size: number): Promise<void>;
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
export async function inParts(writing: Writing, work: (parts: Parts) => Promise<number>): Promise<number> {
  const { clients, bucket, name } = writing;
  const place = { Bucket: bucket, Key: name };
  const begun = await clients.short.send(
    new CreateMultipartUploadCommand({ ...place, Metadata: markOf(writing) }),
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
    await clients.short.send(new AbortMultipartUploadCommand(upload)).catch(() => undefined);
    throw failure;
  }
}

type Upload = { readonly Bucket: string; readonly Key: string; readonly UploadId: string | undefined };

function createSender({ clients, source }: Writing, upload: Upload) {
  const done: CompletedPart[] = [];
  const stopping = new AbortController();
  let onItsWay: Promise<void> = Promise.resolve();

  async function put(body: Buffer | Readable, size: number): Promise<void> {
    const number = done.length + 1;
    if (number > MOST_PARTS) throw new BlobFault('full', 'The file is too large for S3.');
    const client = Buffer.isBuffer(body) ? clients.short : clients.streams;
    const order = { ...upload, PartNumber: number, Body: body, ContentLength: size };
    const { ETag } = await client.send(new UploadPartCommand(order), { abortSignal: stopping.signal });
    done.push({ PartNumber: number, ...(ETag !== undefined && { ETag }) });
  }

  async function putLease(lease: Lease, size: number): Promise<void> {
    let isSent = false;
    try {
      await put(lease.buffer.subarray(0, size), size);
      isSent = true;
    } finally {
      lease.end(isSent);
    }
  }

  return {
    async send(lease: Lease, size: number): Promise<void> {
      await onItsWay.catch((failure) => {
        lease.end(true);
        throw failure;
      });
      onItsWay = putLease(lease, size);
      onItsWay.catch(() => undefined);
    },
    async stream(size: number): Promise<void> {
      await onItsWay;
      await put(streamedBody(source, size), size);
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
async function complete(writing: Writing, completion: Completion, size: number): Promise<void> {
  const order = new CompleteMultipartUploadCommand(completion);
  const { short } = writing.clients;
  await short.send(order, { requestTimeout: COMPLETE_WITHIN }).catch(async (cause) => {
    const mayBeDone = isUnclear(cause) || cause.name === 'NoSuchUpload';
    if (!(mayBeDone && (await isStored(writing, size)))) throw cause;
  });
}
