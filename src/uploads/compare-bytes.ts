import type { Upload } from '../base/upload-records.ts';
import { BlobError, type BlobStore } from '../blobs/contract.ts';
import type { UploadServices } from './services.ts';
import type { UploadBody } from './upload-request.ts';

/**
 * Returns true if a body has the same bytes as a stored upload. Compares while the body arrives, so that the first
 * difference ends it and uploads need no checksums.
 */
export async function isSameBody(
  { blobs, transfers }: Pick<UploadServices, 'blobs' | 'transfers'>,
  upload: Upload,
  body: UploadBody,
): Promise<boolean> {
  const blob = await blobs.open(upload.blob);
  if (!blob) throw new BlobError('missing', `The bytes of upload ${upload.id} are missing.`);
  const transfer = transfers.begin(`again:${upload.id}`, body);
  try {
    return await isSameSequence(
      flatten(body.batches(transfers.memory, () => undefined)),
      blob.read(0, blob.size),
    );
  } finally {
    await blob.close();
    transfer.end();
  }
}

/** Returns true if both stores have the same bytes under a key. */
export async function isSameBlob(one: BlobStore, other: BlobStore, key: string): Promise<boolean> {
  const [blob, otherBlob] = await Promise.all([one.open(key), other.open(key)]);
  try {
    if (blob === undefined || otherBlob === undefined || blob.size !== otherBlob.size) return false;
    return await isSameSequence(blob.read(0, blob.size), otherBlob.read(0, otherBlob.size));
  } finally {
    await Promise.all([blob?.close(), otherBlob?.close()]);
  }
}

async function* flatten(batches: AsyncIterable<readonly Uint8Array[]>): AsyncGenerator<Uint8Array> {
  for await (const batch of batches) yield* batch;
}

/** Compares two byte sequences that are cut into chunks at different places. */
async function isSameSequence(
  chunks: AsyncIterable<Uint8Array>,
  otherChunks: AsyncIterable<Uint8Array>,
): Promise<boolean> {
  const other = otherChunks[Symbol.asyncIterator]();
  let rest: Uint8Array = new Uint8Array(0);

  /** Reads on until `rest` has bytes. Returns false at the end of the other sequence. */
  async function fillRest(): Promise<boolean> {
    while (rest.length === 0) {
      const { done, value } = await other.next();
      if (done) return false;
      rest = value;
    }
    return true;
  }

  try {
    for await (const chunk of chunks) {
      for (let at = 0; at < chunk.length; ) {
        if (!(await fillRest())) return false;
        const length = Math.min(rest.length, chunk.length - at);
        if (Buffer.compare(chunk.subarray(at, at + length), rest.subarray(0, length)) !== 0) return false;
        at += length;
        rest = rest.subarray(length);
      }
    }
    return !(await fillRest());
  } finally {
    await other.return?.();
  }
}
