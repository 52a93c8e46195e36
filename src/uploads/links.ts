import type { Upload } from '../base/records.ts';
import { extension, slug } from '../policy/names.ts';

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

const ID_AND_NAME = /^([0-9a-z]{26})(?:\/[^/]*)?$/;

/** The id or token in a path below one of the prefixes; the name behind it is decoration. */
export function idInPath(path: string, prefix: string): string | undefined {
  return path.startsWith(prefix) ? idBelow(path.slice(prefix.length)) : undefined;
}

/** The same for what follows the prefix. */
export function idBelow(rest: string): string | undefined {
  return ID_AND_NAME.exec(rest)?.[1];
}

/** Two-character folders keep any one folder small; the ending lets a web server serve the right type. */
export function blobKey(id: string, name: string): string {
  return `${id.slice(0, 2)}/${id}.${extension(name) || 'bin'}`;
}
