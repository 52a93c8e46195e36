import type { IncomingMessage } from 'node:http';
import { Refusal } from '../../base/errors.ts';
import type { UploadRequest } from '../../uploads/upload-request.ts';
import { wholeSize } from './resumable/whole-size.ts';

/** A request target below the path of an endpoint: the rest of the path, still encoded, and the query without its `?`. */
export interface EndpointTarget {
  readonly below: string;
  readonly query: string;
}

/**
 * Files below one path. An endpoint only reads requests; the file server treats the files of all endpoints alike.
 */
export interface FileEndpoint {
  /** Begins and ends with a slash. */
  readonly path: string;
  /** Selects the statuses of refusals that differ from the general ones (`errorTable`, `httpAt`). */
  readonly name?: 'external' | 'file_share' | undefined;
  /** Returns the locator of a GET, or undefined if no file can have this path. Without it, GET is not allowed. */
  readonly locate?: (below: string) => string | undefined;
  /** Returns the upload that a PUT is for; throws `Refusal`. Without it, PUT is not allowed. */
  readonly readPut?: (req: IncomingMessage, target: EndpointTarget) => Omit<UploadRequest, 'body'>;
  /** Returns the key of the slot of a PUT, also if `readPut` refuses the PUT. Returns undefined if the path names no slot. */
  readonly slotOf?: (below: string) => UploadRequest['by'] | undefined;
  /**
   * Returns the function that reads a DELETE, or undefined while DELETE is not allowed. That function returns the file to
   * remove and the reason to record; throws `Refusal`.
   */
  readonly deleteReader?: () =>
    | ((target: EndpointTarget) => { readonly locator: string; readonly detail: string })
    | undefined;
}

/** Returns the value of `Allow`. */
export function allowedMethods({ locate, readPut, deleteReader }: FileEndpoint): string {
  const methods = ['OPTIONS', ...(locate ? ['HEAD', 'GET'] : []), ...(readPut ? ['PUT'] : [])];
  return [...methods, ...(deleteReader?.() ? ['DELETE'] : [])].join(', ');
}

/** Splits a request target, which does not include the path of `public_url`, at the path of the endpoint. */
export function targetBelow({ path }: Pick<FileEndpoint, 'path'>, target: string): EndpointTarget {
  const queryStart = target.indexOf('?');
  if (queryStart < 0) return { below: target.slice(path.length), query: '' };
  return { below: target.slice(path.length, queryStart), query: target.slice(queryStart + 1) };
}

/**
 * Returns the declared size of the file in bytes. Returns null for the first part of a resumable upload that does not name the size.
 * Throws `Refusal` (`length_required`) if any other PUT has no `Content-Length`.
 */
export function declaredSizeOrNull(req: IncomingMessage): number | null {
  const whole = wholeSize(req);
  return whole === undefined ? requiredContentLength(req) : whole;
}

/** Returns the declared size of the file in bytes. Throws `Refusal` (`length_required`) without one. */
export function requiredSize(req: IncomingMessage): number {
  const size = declaredSizeOrNull(req);
  if (size !== null) return size;
  throw new Refusal('length_required', {
    text: 'The first part of an upload to this link needs Upload-Length.',
  });
}

/** Returns the length of the body in bytes, or null for a chunked body. Without either header, it is 0. */
export function contentLengthOrNull(req: IncomingMessage): number | null {
  if (req.headers['transfer-encoding'] !== undefined) return null;
  return Number(req.headers['content-length'] ?? 0);
}

/** Throws `Refusal` (`bad_request`) for a PUT of a part of a file (RFC 9110 §14.5), which would be stored as the whole file. */
export function refuseContentRange({ headers }: IncomingMessage): void {
  if (headers['content-range'] === undefined) return;
  throw new Refusal('bad_request', {
    text: 'Partial uploads are not supported: send the whole file without Content-Range.',
  });
}

/** Returns `Content-Length`; throws `Refusal` (`length_required`) without it. */
function requiredContentLength(req: IncomingMessage): number {
  const length = req.headers['content-length'];
  if (length === undefined) throw new Refusal('length_required');
  return Number(length);
}

/** Returns `Content-Type` unchanged, or null without it. */
export function contentTypeOrNull(req: IncomingMessage): string | null {
  return req.headers['content-type'] ?? null;
}
