import type { Upload } from '../../base/upload-records.ts';
import type { PresignOptions } from '../../uploads/downloads.ts';
import { cacheControl, type FileHeaders } from './file-headers.ts';

/** Returns a link by which a client fetches a file from the object store. The store handles ranges and conditions. */
export type PresignedLinks = (upload: Upload, headers: FileHeaders) => Promise<string>;

export interface PresignedLinkServices {
  /** `BlobStore.presignUrl`. */
  readonly link: (key: string, options: PresignOptions) => Promise<string>;
  readonly clock: () => number;
}

/** The link of a file stays the same for this long, so that a client finds the file in its cache. */
const SAME_LINK_MS = 300_000;
/** Seconds from the moment of signing. A client gets at least half of it; a running download may last longer. */
const LIFETIME_SECONDS = 600;

/**
 * Creates links that are valid for minutes but never longer than the file, and that return the same headers as a download
 * from Porter.
 */
export function createPresignedLinks({ link, clock }: PresignedLinkServices): PresignedLinks {
  const links = new WeakMap<FileHeaders, { readonly signedAt: number; readonly link: Promise<string> }>();
  return (upload, headers) => {
    const signedAt = Math.floor(clock() / SAME_LINK_MS) * SAME_LINK_MS;
    const cached = links.get(headers);
    if (cached?.signedAt === signedAt) return cached.link;
    const created = link(upload.blob, presignOptions(headers, signedAt));
    links.set(headers, { signedAt, link: created });
    // A failure is not cached.
    created.catch(() => links.delete(headers));
    return created;
  };
}

function presignOptions(
  { type, disposition, expiresAt, settings, setsCacheControl }: FileHeaders,
  signedAt: number,
): PresignOptions {
  const secondsLeft = expiresAt === null ? LIFETIME_SECONDS : Math.ceil((expiresAt - signedAt) / 1000);
  const configured = Object.entries(settings.downloadHeaders).find(([name]) => /^cache-control$/i.test(name));
  return {
    signedAt,
    lifetimeSeconds: Math.max(1, Math.min(LIFETIME_SECONDS, secondsLeft)),
    type,
    disposition,
    // Computed for the last moment at which this link is handed out, so that no cache outlives the file.
    cacheControl:
      configured && !setsCacheControl ? configured[1] : cacheControl(expiresAt, signedAt + SAME_LINK_MS),
  };
}
