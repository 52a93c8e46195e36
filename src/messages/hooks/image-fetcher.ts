import { createHash } from 'node:crypto';
import { createSemaphore } from '../../base/async.ts';
import { Refusal } from '../../base/errors.ts';
import type { UploadBody } from '../../uploads/upload-request.ts';
import type { Attachment } from '../attachments.ts';
import { readPictureSize } from '../picture-size.ts';
import { type FetchedImage, fetchImage, type ImageRequest } from './fetch-image.ts';

/** Images that are in memory at the same time, over all requests. */
const MAX_IMAGES_IN_MEMORY = 4;

/** Fetches a few images at a time. */
export interface ImageFetcher {
  /** Fetches an image and passes it to `work`. The bytes are kept only while `work` runs. */
  withImage<T>(request: ImageRequest, work: (image: Attachment) => Promise<T>): Promise<T>;
}

export function createImageFetcher(): ImageFetcher {
  const semaphore = createSemaphore(MAX_IMAGES_IN_MEMORY);
  return {
    withImage: (request, work) =>
      semaphore(async () => {
        request.signal.throwIfAborted();
        return await work(toAttachment(await fetchImage(request)));
      }),
  };
}

function toAttachment({ bytes, type, name }: FetchedImage): Attachment {
  const sha256 = createHash('sha256').update(bytes).digest('base64');
  const picture = readPictureSize(bytes);
  return { name, type, size: bytes.length, sha256, picture, open: () => createBody(bytes) };
}

/** An upload body whose bytes are in memory. */
function createBody(bytes: Buffer): UploadBody {
  let failure: Error | undefined;
  let received = 0;
  return {
    accept() {},
    async *batches(_budget, check) {
      received = bytes.length;
      const error = failure ?? check(received, true);
      if (error) throw error;
      yield [bytes];
      if (failure) throw failure;
    },
    abort(reason) {
      failure ??= reason;
    },
    get received() {
      return received;
    },
    get isComplete() {
      return received > 0;
    },
    idleFor: () => 0,
  };
}

/** Returns the reason why an image is missing, for the log. */
export function imageErrorText(error: unknown): string {
  if (error instanceof Refusal) return error.message;
  return error instanceof Error ? error.message : 'the image cannot be fetched';
}
