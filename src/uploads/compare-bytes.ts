import type { Upload } from '../base/upload-records.ts';
import { BlobError } from '../blobs/contract.ts';
import type { UploadServices } from './services.ts';
import type { UploadBody } from './upload-request.ts';

/**
 * Are these the bytes that are stored? Compared as they flow, so that the first difference ends it and
 * nobody pays for a checksum of every upload.
 */
export async function isSameBody(
  deps: Pick<UploadServices, 'blobs' | 'transfers'>,
  upload: Upload,
  body: UploadBody,
): Promise<boolean> {
  const blob = await deps.blobs.open(upload.blob);
  if (!blob) throw new BlobError('missing', `The bytes of upload ${upload.id} are missing.`);
  const transfer = deps.transfers.begin(`again:${upload.id}`, body);
  const stored = createCursor(blob.read(0, blob.size));
  try {
    for await (const batch of body.batches(deps.transfers.memory, () => undefined)) {
      for (const chunk of batch) if (!(await stored.startsWith(chunk))) return false;
    }
    return await stored.isAtEnd();
  } finally {
    await stored.stop();
    await blob.close();
    transfer.end();
  }
}

/** Walks along stored bytes in steps of the incoming ones. */
function createCursor(chunks: AsyncIterable<Uint8Array>) {
  const iterator = chunks[Symbol.asyncIterator]();
  let rest: Uint8Array = new Uint8Array(0);

  async function more(): Promise<boolean> {
    while (rest.length === 0) {
      const { done, value } = await iterator.next();
      if (done) return false;
      rest = value;
    }
    return true;
  }

  return {
    async startsWith(expected: Uint8Array): Promise<boolean> {
      let left = expected;
      while (left.length > 0) {
        if (!(await more())) return false;
        const length = Math.min(left.length, rest.length);
        if (Buffer.compare(left.subarray(0, length), rest.subarray(0, length)) !== 0) return false;
        left = left.subarray(length);
        rest = rest.subarray(length);
      }
      return true;
    },
    isAtEnd: async () => !(await more()),
    stop: async () => iterator.return?.(),
  };
}
