import type { IncomingMessage } from 'node:http';
import type { Readable } from 'node:stream';
import { GetObjectCommand, HeadBucketCommand, HeadObjectCommand } from '@aws-sdk/client-s3';
import { BlobError, type OpenBlob } from '../contract.ts';
import type { S3Clients } from './client.ts';
import { parseSdkError, toS3BlobError, withBlobErrors } from './s3-error.ts';

export interface S3ReadOptions {
  readonly clients: S3Clients;
  readonly bucket: string;
}

export interface ObjectRange {
  readonly start: number;
  readonly end: number;
}

/** Ranges up to so many bytes are read whole, into one buffer. */
const SMALL = 64 * 1024;
/** Milliseconds for which S3 may be silent in the middle of a file. */
const SILENT_WITHIN = 30_000;
/** How often a file that breaks off is taken up again where it stopped, with no byte in between. */
const RESUMED = 3;

/** An answer whose bytes have not been read yet. */
interface Answer {
  readonly bytes: ObjectRange;
  readonly body: Readable;
  /** Of the whole object. */
  readonly size: number;
}

/** Asks for the object, or for what will be read of it `first`. Undefined where there is none. */
export async function openObject(
  deps: S3ReadOptions,
  name: string,
  first: ObjectRange | undefined,
): Promise<OpenBlob | undefined> {
  const answer = await get(deps, name, first).catch((cause) => {
    const { code } = parseSdkError(cause);
    if (code === 'NoSuchKey') return undefined;
    // Shorter than the caller thinks: it will see.
    if (code === 'InvalidRange' && first) return get(deps, name, undefined);
    throw toS3BlobError(cause);
  });
  if (!answer) return undefined;
  let unread: Answer | undefined = answer;
  return {
    size: answer.size,
    read(start, end) {
      const fits = unread?.bytes.start === start && unread.bytes.end === end;
      if (!fits) unread?.body.destroy();
      const body = fits ? unread?.body : undefined;
      unread = undefined;
      return readRange(deps, name, { start, end }, body);
    },
    async close() {
      // Whole or not, nobody reads it any more.
      answer.body.destroy();
    },
  };
}

/** Bytes of an object, or undefined where there is none. */
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
    // An answer without words: a bucket that is gone must not look like files that are.
    await withBlobErrors(clients.requests.send(new HeadBucketCommand({ Bucket: bucket })));
    return undefined;
  }
}

async function get(
  { clients, bucket }: S3ReadOptions,
  name: string,
  bytes: ObjectRange | undefined,
): Promise<Answer> {
  const range = bytes && { Range: `bytes=${bytes.start}-${bytes.end - 1}` };
  const {
    Body,
    ContentLength = 0,
    ContentRange,
  } = await clients.downloads.send(new GetObjectCommand({ Bucket: bucket, Key: name, ...range }));
  const body = Body as IncomingMessage;
  // Whoever lets go of it in the middle need not hear of it.
  body.on('error', () => {});
  const size = bytes ? Number(ContentRange?.split('/')[1]) : ContentLength;
  if (Number.isSafeInteger(size)) return { body, size, bytes: bytes ?? { start: 0, end: size } };
  body.destroy();
  throw new BlobError('failed', 'S3 does not understand ranges.');
}

async function* readRange(deps: S3ReadOptions, name: string, bytes: ObjectRange, body: Readable | undefined) {
  const length = bytes.end - bytes.start;
  if (length > SMALL) {
    yield* readOn(deps, name, bytes, body);
  } else if (length > 0) {
    const whole = Buffer.allocUnsafeSlow(length);
    let filled = 0;
    for await (const chunk of readOn(deps, name, bytes, body)) filled += chunk.copy(whole, filled);
    yield whole;
  } else body?.destroy();
}

/** A file never changes, so that one that breaks off can be taken up again. */
async function* readOn(
  deps: S3ReadOptions,
  name: string,
  { start, end }: ObjectRange,
  first: Readable | undefined,
) {
  let at = start;
  let body = first;
  for (let failures = 0; at < end; ) {
    body ??= (await withBlobErrors(get(deps, name, { start: at, end }))).body;
    try {
      for await (const chunk of chunksOf(body)) {
        at += chunk.length;
        failures = 0;
        yield chunk;
      }
      if (at < end) throw new BlobError('failed', 'S3 has ended the file before its time.');
    } catch (failure) {
      failures += 1;
      if (failures > RESUMED) throw toS3BlobError(failure);
    } finally {
      body.destroy();
      body = undefined;
    }
  }
}

/** A chunk is the reader's until it asks for the next. Silence is a failure only while it is S3 that is waited for. */
async function* chunksOf(body: Readable): AsyncGenerator<Buffer> {
  const chunks = body[Symbol.asyncIterator]();
  const silent = () => body.destroy(new Error(`S3 was silent for ${SILENT_WITHIN / 1000} s.`));
  for (;;) {
    const timer = setTimeout(silent, SILENT_WITHIN);
    const { done, value } = await chunks.next().finally(() => clearTimeout(timer));
    if (done) return;
    const chunk = value as Buffer;
    yield chunk;
    giveBack(chunk);
  }
}

/** Frees it at once: the garbage collector sees only the small object in front of it. */
function giveBack(chunk: Buffer): void {
  const memory = chunk.buffer;
  if (memory instanceof ArrayBuffer && chunk.byteLength === memory.byteLength) memory.transfer(0);
}
