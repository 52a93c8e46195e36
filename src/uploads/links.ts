import type { Upload } from '../base/upload-records.ts';
import { slug } from '../policy/file-names.ts';
import { blobExtension } from '../policy/guess-media-type.ts';

/**
 * Every URL is a base, a fixed word, an id and a slug: ASCII, in normal form, only `[A-Za-z0-9_.-/:]`, so that
 * no client and no server can encode it into something else (FIELD 0.2, 2.4.5). Only the id is looked at.
 */
export const PUT_PREFIX = '/put/';
export const GET_PREFIX = '/files/';

/** `base` without a trailing slash, as in `public_url`. */
export function putUrl(base: string, token: string, name: string): string {
  return `${base}${PUT_PREFIX}${token}/${slug(name)}`;
}

export function getUrl(base: string, upload: Pick<Upload, 'id' | 'name'>): string {
  return `${base}${GET_PREFIX}${upload.id}/${slug(upload.name)}`;
}

/** The link by which a file is fetched. `base`: as `download_url`, without a slash at its end. */
export type FileUrlBuilder = (base: string, file: Pick<Upload, 'id' | 'name' | 'blob'>) => string;

/** Past Porter: for a web server that serves the folder of the blobs by itself. */
export const blobUrl: FileUrlBuilder = (base, { blob, name }) => `${base}/${blob}/${slug(name)}`;

/** The link that the rules of the house ask for. */
export function fileUrl(
  { rules }: { readonly rules: () => { readonly fileUrlBuilder?: FileUrlBuilder } },
  base: string,
  file: Parameters<FileUrlBuilder>[1],
): string {
  return (rules().fileUrlBuilder ?? getUrl)(base, file);
}

const BLOB_PATH = /\/[0-9a-z]{2}\/([0-9a-z]{26})\.[0-9a-z]{1,10}(?:\/[^/]*)?$/;

/** The id in a path of such a link. */
export function idInBlobPath(path: string): string | undefined {
  return BLOB_PATH.exec(path)?.[1];
}

const ID_AND_NAME = /^([0-9a-z]{26})(?:\/[^/]*)?$/;

/** The id or token in a path below one of the prefixes; the name behind it is decoration. */
export function idInPath(path: string, prefix: string): string | undefined {
  return path.startsWith(prefix) ? idInSubpath(path.slice(prefix.length)) : undefined;
}

/** The same for what follows the prefix. */
export function idInSubpath(rest: string): string | undefined {
  return ID_AND_NAME.exec(rest)?.[1];
}

/**
 * Two-character folders keep any one folder small: the last two, because the first tell the time. The ending lets a web
 * server serve the right type.
 */
export function blobKey(id: string, name: string, type?: string): string {
  return `${id.slice(-2)}/${id}.${blobExtension(name, type)}`;
}
