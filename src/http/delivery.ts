import type { IncomingMessage } from 'node:http';
import type { Upload } from '../base/records.ts';
import { GET_PREFIX } from '../uploads/links.ts';
import { sendEmpty } from './empty.ts';
import { type AddressMatcher, cameThrough } from './peer.ts';
import type { DataDoor } from './server.ts';

/** What a web server is told, so that it sends a file. Headers as name, value. */
export interface HandOver {
  readonly headers: readonly string[];
  /** A header of ours that it would only double. */
  readonly omit?: string;
}

/**
 * Who sends the bytes of a file that was found and may be fetched: a web server, ranges included, or, where it is
 * undefined, Porter.
 */
export type Delivery = (upload: Upload, request: IncomingMessage) => HandOver | undefined;

/** `downloads.via`. */
export type Via = 'self' | 'x-accel-redirect' | 'x-sendfile' | 'webserver' | 'presigned';

export interface DeliverySettings {
  readonly via: Via;
  /** `downloads.internal_prefix`. */
  readonly prefix: string | null;
  /** Where the blobs are; undefined where that is no folder. */
  readonly folder: string | undefined;
  /** `trusted_proxies`, asked at every request: nobody else is told anything of the disk. */
  readonly trustedProxies: () => AddressMatcher;
}

/** Undefined where Porter sends everything itself. Who came past the web server always gets the bytes from Porter. */
export function createDelivery({
  via,
  prefix,
  folder,
  trustedProxies,
}: DeliverySettings): Delivery | undefined {
  if (via !== 'x-accel-redirect' && via !== 'x-sendfile') return undefined;
  const handOver =
    via === 'x-sendfile' ? bySendfile(prefix ?? `${folder}/`) : byNginx(prefix ?? '/porter-blobs/');
  return (upload, request) => (cameThrough(request, trustedProxies()) ? handOver(upload) : undefined);
}

function byNginx(prefix: string): (upload: Upload) => HandOver {
  return ({ blob }) => ({ headers: ['X-Accel-Redirect', `${prefix}${blob}`], omit: 'Accept-Ranges' });
}

/** Apache and lighttpd decode the path. */
function bySendfile(prefix: string): (upload: Upload) => HandOver {
  const before = prefix.split('/').map(encodeURIComponent).join('/');
  return ({ blob }) => ({ headers: ['X-Sendfile', `${before}${blob}`] });
}

/**
 * Where a web server serves the files of slots by itself, past Porter: their links lead there, and here is nothing.
 * Files of doors whose links others make are served all the same, because nobody else could find them.
 */
export function withoutDownloads(data: DataDoor): DataDoor {
  return {
    owns: (path) => data.owns(path),
    handle(request, response) {
      const { method, url = '/' } = request;
      const fetches = (method === 'GET' || method === 'HEAD') && url.startsWith(GET_PREFIX);
      return fetches ? sendEmpty(response, 404) : data.handle(request, response);
    },
    handleContinue: (request, response) => data.handleContinue(request, response),
  };
}
