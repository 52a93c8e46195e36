import type { Upload } from '../../base/upload-records.ts';
import type { PresignOptions } from '../../uploads/downloads.ts';
import { cacheControl, type FileHeaders } from './file-headers.ts';

/** A link to where a file that was found and may be fetched lies by itself; ranges and conditions are heard there. */
export type PresignedLinks = (upload: Upload, headers: FileHeaders) => Promise<string>;

export interface PresignedLinkServices {
  /** `BlobStore.presignUrl`. */
  readonly link: (key: string, order: PresignOptions) => Promise<string>;
  readonly clock: () => number;
}

/** Links stay the same for so many milliseconds: what a client has cached by its link is found again. */
const SAME_FOR = 300_000;
/** Seconds from the moment of signing; whoever gets a link has half of it at least, and longer once bytes flow. */
const LIFETIME = 600;

/** Links that hold for minutes, never longer than the file, and say what a download from Porter would say. */
export function createPresignedLinks({ link, clock }: PresignedLinkServices): PresignedLinks {
  const made = new WeakMap<FileHeaders, { readonly signedAt: number; readonly link: Promise<string> }>();
  return (upload, headers) => {
    const signedAt = Math.floor(clock() / SAME_FOR) * SAME_FOR;
    const known = made.get(headers);
    if (known?.signedAt === signedAt) return known.link;
    const fresh = link(upload.blob, orderOf(headers, signedAt));
    made.set(headers, { signedAt, link: fresh });
    // One that could not be made is not kept.
    fresh.catch(() => made.delete(headers));
    return fresh;
  };
}

function orderOf(
  { type, disposition, expiresAt, settings, setsCacheControl }: FileHeaders,
  signedAt: number,
): PresignOptions {
  const left = expiresAt === null ? LIFETIME : Math.ceil((expiresAt - signedAt) / 1000);
  const theirs = Object.entries(settings.downloadHeaders).find(([name]) => /^cache-control$/i.test(name));
  return {
    signedAt,
    lifetimeSeconds: Math.max(1, Math.min(LIFETIME, left)),
    type,
    disposition,
    // As if it were asked for when this link is given for the last time: no cache shows a file that has ended.
    cacheControl: theirs && !setsCacheControl ? theirs[1] : cacheControl(expiresAt, signedAt + SAME_FOR),
  };
}
