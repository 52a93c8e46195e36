import type { IncomingMessage } from 'node:http';
import { Refusal } from '../../base/errors.ts';
import type { UploadRequest } from '../../uploads/upload-request.ts';

/** A request's target, cut at the door's own path: what is below, as it came, and the query without its `?`. */
export interface EndpointTarget {
  readonly below: string;
  readonly query: string;
}

/**
 * One way to files: what is put or fetched below one path. It only reads requests; what then happens to a file is
 * the same behind all of them.
 */
export interface FileEndpoint {
  /** With a slash at either end. */
  readonly path: string;
  /** Whose statuses refusals have here, where they are not everybody's (`errorTable`, `at`). */
  readonly name?: 'external' | 'file_share' | undefined;
  /** How a GET finds its file, undefined where no file can be there. A door without it takes no GETs. */
  readonly locate?: (below: string) => string | undefined;
  /** By what right a PUT comes, or a `Refusal`. A door without it takes no PUTs. */
  readonly readPut?: (req: IncomingMessage, target: EndpointTarget) => Omit<UploadRequest, 'body'>;
  /** The file that a DELETE may remove, or a `Refusal`. Undefined while the door takes no DELETEs. */
  readonly deleteReader?: () =>
    | ((target: EndpointTarget) => { readonly locator: string; readonly detail: string })
    | undefined;
}

/** As `Allow` lists them. */
export function allowedMethods({ locate, readPut, deleteReader }: FileEndpoint): string {
  const methods = ['OPTIONS', ...(locate ? ['HEAD', 'GET'] : []), ...(readPut ? ['PUT'] : [])];
  return [...methods, ...(deleteReader?.() ? ['DELETE'] : [])].join(', ');
}

/** `target` is a request's, without the path of `public_url`. */
export function targetBelow({ path }: Pick<FileEndpoint, 'path'>, target: string): EndpointTarget {
  const at = target.indexOf('?');
  if (at < 0) return { below: target.slice(path.length), query: '' };
  return { below: target.slice(path.length, at), query: target.slice(at + 1) };
}

/** Bytes that the body will have; null where it comes in chunks. A request that names neither has none. */
export function contentLengthOrNull(req: IncomingMessage): number | null {
  if (req.headers['transfer-encoding'] !== undefined) return null;
  return Number(req.headers['content-length'] ?? 0);
}

/** The same for doors where the size has to be known before. */
export function requiredContentLength(req: IncomingMessage): number {
  const text = req.headers['content-length'];
  if (text === undefined) throw new Refusal('length_required');
  return Number(text);
}

/** What a PUT says of its type, as it came. */
export function contentTypeOrNull(req: IncomingMessage): string | null {
  return req.headers['content-type'] ?? null;
}
