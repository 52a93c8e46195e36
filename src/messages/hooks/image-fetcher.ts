import { createHash } from 'node:crypto';
import { Refusal } from '../../base/errors.ts';
import type { UploadBody } from '../../uploads/upload-request.ts';
import type { Attachment } from '../attachments.ts';
import { type FetchedImage, fetchImage, type ImageRequest } from './fetch-image.ts';

/** Pictures that are in memory at one time, whoever asks for them. */
const AT_ONCE = 4;

/** Fetches pictures a few at a time; `work` has the bytes only while it runs. */
export interface ImageFetcher {
  withImage<T>(order: ImageRequest, work: (image: Attachment) => Promise<T>): Promise<T>;
}

export function createImageFetcher(): ImageFetcher {
  let free = AT_ONCE;
  const waiting: (() => void)[] = [];

  async function enter(signal: AbortSignal): Promise<void> {
    if (free === 0) await new Promise<void>((resolve) => waiting.push(resolve));
    else free -= 1;
    if (signal.aborted) {
      leave();
      signal.throwIfAborted();
    }
  }

  function leave(): void {
    const next = waiting.shift();
    if (next) next();
    else free += 1;
  }

  return {
    async withImage(order, work) {
      await enter(order.signal);
      try {
        return await work(attachmentOf(await fetchImage(order)));
      } finally {
        leave();
      }
    },
  };
}

function attachmentOf({ bytes, type, name }: FetchedImage): Attachment {
  const sha256 = createHash('sha256').update(bytes).digest('base64');
  return { name, type, size: bytes.length, sha256, open: () => bodyOf(bytes) };
}

/** Bytes in memory, as the use cases of uploads take a body. */
function bodyOf(bytes: Buffer): UploadBody {
  let failure: Error | undefined;
  let received = 0;
  return {
    accept() {},
    async *batches(_pace, check) {
      received = bytes.length;
      const fault = failure ?? check(received, true);
      if (fault) throw fault;
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

/** Why a picture is missing, in words for the log. */
export function imageErrorText(error: unknown): string {
  if (error instanceof Refusal) return error.message;
  return error instanceof Error ? error.message : 'it cannot be had';
}
