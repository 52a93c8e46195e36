import type { IncomingMessage } from 'node:http';
import { Refusal } from '../base/errors.ts';
import type { Arrival } from '../uploads/incoming.ts';

/** A request's target, cut at the door's own path: what is below, as it came, and the query without its `?`. */
export interface Target {
  readonly below: string;
  readonly query: string;
}

/**
 * One way to files: what is put or fetched below one path. It only reads requests; what then happens to a file is
 * the same behind all of them.
 */
export interface FileDoor {
  /** With a slash at either end. */
  readonly path: string;
  /** Whose statuses refusals have here, where they are not everybody's (`errorTable`, `at`). */
  readonly statuses?: 'external' | 'file_share' | undefined;
  /** How a GET finds its file, undefined where no file can be there. A door without it takes no GETs. */
  readonly locate?: (below: string) => string | undefined;
  /** By what right a PUT comes, or a `Refusal`. A door without it takes no PUTs. */
  readonly admit?: (req: IncomingMessage, target: Target) => Omit<Arrival, 'body'>;
  /** The file that a DELETE may remove, or a `Refusal`. Undefined while the door takes no DELETEs. */
  readonly doom?: () =>
    | ((target: Target) => { readonly locator: string; readonly detail: string })
    | undefined;
}

/** As `Allow` lists them. */
export function methodsOf({ locate, admit, doom }: FileDoor): string {
  const methods = ['OPTIONS', ...(locate ? ['HEAD', 'GET'] : []), ...(admit ? ['PUT'] : [])];
  return [...methods, ...(doom?.() ? ['DELETE'] : [])].join(', ');
}

/** `target` is a request's, without the path of `public_url`. */
export function targetBelow({ path }: Pick<FileDoor, 'path'>, target: string): Target {
  const at = target.indexOf('?');
  if (at < 0) return { below: target.slice(path.length), query: '' };
  return { below: target.slice(path.length, at), query: target.slice(at + 1) };
}

/** Bytes that the body will have; null where it comes in chunks. A request that names neither has none. */
export function lengthIfKnown(req: IncomingMessage): number | null {
  if (req.headers['transfer-encoding'] !== undefined) return null;
  return Number(req.headers['content-length'] ?? 0);
}

/** The same for doors where the size has to be known before. */
export function declaredLength(req: IncomingMessage): number {
  const text = req.headers['content-length'];
  if (text === undefined) throw new Refusal('length_required');
  return Number(text);
}

/** What a PUT says of its type, as it came. */
export function declaredType(req: IncomingMessage): string | null {
  return req.headers['content-type'] ?? null;
}
