import type { IncomingMessage } from 'node:http';
import type { Readable } from 'node:stream';
import { GetObjectCommand, HeadBucketCommand, HeadObjectCommand } from '@aws-sdk/client-s3';
import { BlobError, type ByteRange, type OpenBlob } from '../contract.ts';
import type { S3Clients } from './client.ts';
import { parseSdkError, toS3BlobError, withBlobErrors } from './s3-error.ts';

export interface S3ReadOptions {
  readonly clients: S3Clients;
  readonly bucket: string;
}

/** Ranges up to this many bytes are read into one buffer. */
const SMALL_RANGE = 64 * 1024;
/** Maximum time for which S3 may send nothing in the middle of a file. */
const SILENCE_TIMEOUT_MS = 30_000;
/** Maximum number of times that an interrupted download is resumed without progress in between. */
const MAX_RESUMES = 3;

/** A response whose body has not been read yet. */
interface UnreadResponse {
  readonly bytes: ByteRange;
  readonly body: Readable;
  /** Size of the whole object. */
  readonly size: number;
}

/** Requests the object, or the range of it that is read first. Returns undefined if it does not exist. */
export async function openObject(
  options: S3ReadOptions,
  name: string,
  first: ByteRange | undefined,
): Promise<OpenBlob | undefined> {
  const response = await get(options, name, first).catch((cause) => {
    const { code } = parseSdkError(cause);
    if (code === 'NoSuchKey') return undefined;
    // The object is shorter than the range. The caller compares the size.
    if (code === 'InvalidRange' && first) return get(options, name, undefined);
    throw toS3BlobError(cause);
  });
  if (!response) return undefined;
  let unread: UnreadResponse | undefined = response;
  return {
    size: response.size,
    read(start, end) {
      const fits = unread?.bytes.start === start && unread.bytes.end === end;
      if (!fits) unread?.body.destroy();
      const body = fits ? unread?.body : undefined;
      unread = undefined;
      return readRange(options, name, { start, end }, body);
    },
    async close() {
      response.body.destroy();
    },
  };
}

/** Returns the size of an object in bytes, or undefined if it does not exist. */
export async function readObjectSize(
  { clients, bucket }: S3ReadOptions,
  name: string,
): Promise<number | undefined> {
  try {
    const { ContentLength = 0 } = await clients.requests.send(
      new HeadObjectCommand({ Bucket: bucket, Key: name }),
    );
    return ContentLength;
  } catch (cause) {
    if (parseSdkError(cause).status !== 404) throw toS3BlobError(cause);
    // HEAD responses have no error code: distinguish a missing bucket from a missing object.
    await withBlobErrors(clients.requests.send(new HeadBucketCommand({ Bucket: bucket })));
    return undefined;
  }
}

async function get(
  { clients, bucket }: S3ReadOptions,
  name: string,
  bytes: ByteRange | undefined,
): Promise<UnreadResponse> {
  const body = (await clients.direct.get(name, bytes)) ?? (await getWithSdk(clients, bucket, name, bytes));
  const { 'content-range': contentRange, 'content-length': contentLength = '0' } = body.headers;
  const size = Number(bytes ? contentRange?.split('/')[1] : contentLength);
  if (Number.isSafeInteger(size)) return { body, size, bytes: bytes ?? { start: 0, end: size } };
  body.destroy();
  throw new BlobError('failed', 'The S3 store does not support range requests.');
}

async function getWithSdk(
  { downloads }: S3Clients,
  bucket: string,
  name: string,
  bytes: ByteRange | undefined,
): Promise<IncomingMessage> {
  const range = bytes && { Range: `bytes=${bytes.start}-${bytes.end - 1}` };
  const { Body } = await downloads.send(new GetObjectCommand({ Bucket: bucket, Key: name, ...range }));
  const body = Body as IncomingMessage;
  // Destroying the body early emits an error that needs no handling.
  body.on('error', () => {});
  return body;
}

async function* readRange(
  options: S3ReadOptions,
  name: string,
  bytes: ByteRange,
  body: Readable | undefined,
) {
  const length = bytes.end - bytes.start;
  if (length > SMALL_RANGE) {
    yield* readResuming(options, name, bytes, body);
  } else if (length > 0) {
    const whole = Buffer.allocUnsafeSlow(length);
    let filled = 0;
    for await (const chunk of readResuming(options, name, bytes, body)) filled += chunk.copy(whole, filled);
    yield whole;
  } else body?.destroy();
}

/** Yields a range, and resumes it after an interruption. Blobs never change, so the rest fits the bytes that were read before. */
async function* readResuming(
  options: S3ReadOptions,
  name: string,
  { start, end }: ByteRange,
  first: Readable | undefined,
) {
  let at = start;
  let body = first;
  for (let failures = 0; at < end; ) {
    body ??= (await withBlobErrors(get(options, name, { start: at, end }))).body;
    try {
      for await (const chunk of chunksOf(body)) {
        at += chunk.length;
        failures = 0;
        yield chunk;
      }
      if (at < end) throw new BlobError('failed', 'S3 closed the connection before the end of the object.');
    } catch (failure) {
      failures += 1;
      if (failures > MAX_RESUMES) throw toS3BlobError(failure);
    } finally {
      body.destroy();
      body = undefined;
    }
  }
}

/** A chunk belongs to the reader until it asks for the next one. The timeout runs only while waiting for S3. */
async function* chunksOf(body: Readable): AsyncGenerator<Buffer> {
  const chunks = body[Symbol.asyncIterator]();
  const silent = () => body.destroy(new Error(`S3 sent nothing for ${SILENCE_TIMEOUT_MS / 1000} s.`));
  for (;;) {
    const timer = setTimeout(silent, SILENCE_TIMEOUT_MS);
    const { done, value } = await chunks.next().finally(() => clearTimeout(timer));
    if (done) return;
    const chunk = value as Buffer;
    yield chunk;
    freeChunk(chunk);
  }
}

/** Frees the memory at once. The garbage collector sees only the small Buffer object. */
function freeChunk(chunk: Buffer): void {
  const memory = chunk.buffer;
  if (memory instanceof ArrayBuffer && chunk.byteLength === memory.byteLength) memory.transfer(0);
}
