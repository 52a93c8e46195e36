import { slotBlobKey } from '../base/blob-keys.ts';
import type { Upload } from '../base/upload-records.ts';
import { slug } from '../policy/file-names.ts';
import { blobExtension } from '../policy/media-type.ts';

/**
 * Every URL is a base, a fixed word, an id and a slug. It consists of `[A-Za-z0-9_.-/:]` only, so that clients and servers
 * do not re-encode it (docs/protocols.md, "Links"). Only the id counts when a file is looked up.
 */
export const PUT_PREFIX = '/put/';
export const GET_PREFIX = '/files/';

/** `base`: without a trailing slash, as in `public_url`. */
export function putUrl(base: string, token: string, name: string): string {
  return `${base}${PUT_PREFIX}${token}/${slug(name)}`;
}

export function getUrl(base: string, upload: Pick<Upload, 'id' | 'name'>): string {
  return `${base}${GET_PREFIX}${upload.id}/${slug(upload.name)}`;
}

/** Builds the download link of a file. `base`: `download_url`, without a trailing slash. */
export type FileUrlBuilder = (base: string, file: Pick<Upload, 'id' | 'name' | 'blob'>) => string;

/** Builds links for a web server that serves the blob folder itself (`downloads.via: webserver`). */
export const blobUrl: FileUrlBuilder = (base, { blob, name }) => `${base}/${blob}/${slug(name)}`;

/** Returns the download link in the configured form. */
export function fileUrl(
  { rules }: { readonly rules: () => { readonly fileUrlBuilder?: FileUrlBuilder } },
  base: string,
  file: Parameters<FileUrlBuilder>[1],
): string {
  return (rules().fileUrlBuilder ?? getUrl)(base, file);
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
