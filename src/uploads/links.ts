import { slotBlobKey, type ThumbnailWidth } from '../base/blob-keys.ts';
import type { Upload } from '../base/upload-records.ts';
import { encodeForUrl, slug } from '../policy/file-names.ts';
import { blobExtension } from '../policy/media-type.ts';

/** Every URL is a base, a fixed word, an id and a name (docs/protocols.md, "Links"). A file is found by the id alone. */
export const PUT_PREFIX = '/put/';
export const GET_PREFIX = '/files/';

/**
 * The form of the name in a link. `utf8`: the name itself, percent-encoded: clients show and save a file under it (XEP-0363 §4).
 * `ascii`: only `[A-Za-z0-9_.-]`, for servers that encode links a second time.
 */
export type LinkNames = 'utf8' | 'ascii';

const formatName = (name: string, names: LinkNames) => (names === 'utf8' ? encodeForUrl(name) : slug(name));

/** `base`: without a trailing slash, as in `public_url`. */
export function putUrl(base: string, token: string, name: string, names: LinkNames = 'utf8'): string {
  return `${base}${PUT_PREFIX}${token}/${formatName(name, names)}`;
}

export function getUrl(
  base: string,
  { id, name }: Pick<Upload, 'id' | 'name'>,
  names: LinkNames = 'utf8',
): string {
  return `${base}${GET_PREFIX}${id}/${formatName(name, names)}`;
}

/** Builds the download link of a file. `base`: `download_url`, without a trailing slash. */
export type FileUrlBuilder = (
  base: string,
  file: Pick<Upload, 'id' | 'name' | 'blob'>,
  names: LinkNames,
) => string;

/**
 * Builds links for a web server that serves the blob folder itself (`downloads.via: webserver`). Their names are ASCII, because the
 * web server writes them to `Content-Disposition`.
 */
export const blobUrl = (base: string, { blob, name }: Pick<Upload, 'id' | 'name' | 'blob'>) =>
  `${base}/${blob}/${slug(name)}`;

/** Returns the download link in the configured form. */
export function fileUrl(
  { rules }: { readonly rules: () => { readonly fileUrlBuilder?: FileUrlBuilder } },
  base: string,
  file: Parameters<FileUrlBuilder>[1],
  names: LinkNames = 'utf8',
): string {
  return (rules().fileUrlBuilder ?? getUrl)(base, file, names);
}

/**
 * Returns the download link of a stored upload, or undefined for uploads with links that an XMPP server has signed: only the hash
 * of those is stored. `base`: `download_url`, without a trailing slash.
 */
export function linkOfUpload(
  services: {
    readonly rules: () => { readonly fileUrlBuilder?: FileUrlBuilder; readonly slotApiNames?: LinkNames };
  },
  base: string,
  upload: Pick<Upload, 'id' | 'locator' | 'name' | 'blob' | 'endpoint'>,
): string | undefined {
  if (upload.locator !== upload.id) return undefined;
  const names = upload.endpoint === 'slot_api' ? (services.rules().slotApiNames ?? 'ascii') : 'utf8';
  return fileUrl(services, base, upload, names);
}

/** The width that lists and messages show. */
export const SHOWN_WIDTH: ThumbnailWidth = 320;

/**
 * Returns the link of a thumbnail, or undefined for uploads without a link. `base`: the URL of Porter without a trailing slash,
 * because Porter always serves thumbnails itself.
 */
export function thumbnailLink(
  base: string,
  upload: Pick<Upload, 'id' | 'locator' | 'name'>,
): string | undefined {
  return upload.locator === upload.id ? `${getUrl(base, upload, 'ascii')}?thumb=${SHOWN_WIDTH}` : undefined;
}

const BLOB_PATH = /\/[0-9a-z]{2}\/([0-9a-z]{26})(?:[0-9a-z]{12})?\.[0-9a-z]{1,10}(?:\/[^/]*)?$/;

/** Returns the id in the path of a `blobUrl`. */
export function idInBlobPath(path: string): string | undefined {
  return BLOB_PATH.exec(path)?.[1];
}

const ID_AND_NAME = /^([0-9a-z]{26})(?:\/[^/]*)?$/;

/** Returns the id or token in a path below a prefix. The name after it is not checked. */
export function idInPath(path: string, prefix: string): string | undefined {
  return path.startsWith(prefix) ? idInSubpath(path.slice(prefix.length)) : undefined;
}

/** Like `idInPath`, for the part of a path after the prefix. */
export function idInSubpath(rest: string): string | undefined {
  return ID_AND_NAME.exec(rest)?.[1];
}

/** Returns the slot key for a file of this name and type. */
export function blobKey(id: string, name: string, type?: string): string {
  return slotBlobKey(id, blobExtension(name, type));
}
