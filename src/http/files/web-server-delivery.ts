import type { IncomingMessage } from 'node:http';
import type { Upload } from '../../base/upload-records.ts';
import { GET_PREFIX } from '../../uploads/links.ts';
import { type AddressMatcher, isForwardedByTrustedProxy } from '../common/client-info.ts';
import { sendEmpty } from '../common/send-empty.ts';
import type { DataPlane } from '../listener/http-server.ts';

/** What a web server is told, so that it sends a file. Headers as name, value. */
export interface DeliveryHeaders {
  readonly headers: readonly string[];
  /** A header of ours that it would only double. */
  readonly omitHeader?: string;
}

/**
 * Who sends the bytes of a file that was found and may be fetched: a web server, ranges included, or, where it is
 * undefined, Porter.
 */
export type WebServerDelivery = (upload: Upload, request: IncomingMessage) => DeliveryHeaders | undefined;

/** `downloads.via`. */
export type DownloadVia = 'self' | 'x-accel-redirect' | 'x-sendfile' | 'webserver' | 'presigned';

export interface DeliverySettings {
  readonly via: DownloadVia;
  /** `downloads.internal_prefix`. */
  readonly prefix: string | null;
  /** Where the blobs are; undefined where that is no folder. */
  readonly blobFolder: string | undefined;
  /** `trusted_proxies`, asked at every request: nobody else is told anything of the disk. */
  readonly trustedProxies: () => AddressMatcher;
}

/** Undefined where Porter sends everything itself. Who came past the web server always gets the bytes from Porter. */
export function createWebServerDelivery({
  via,
  prefix,
  blobFolder,
  trustedProxies,
}: DeliverySettings): WebServerDelivery | undefined {
  if (via !== 'x-accel-redirect' && via !== 'x-sendfile') return undefined;
  const handOver =
    via === 'x-sendfile' ? bySendfile(prefix ?? `${blobFolder}/`) : byNginx(prefix ?? '/porter-blobs/');
  return (upload, request) =>
    isForwardedByTrustedProxy(request, trustedProxies()) ? handOver(upload) : undefined;
}

function byNginx(prefix: string): (upload: Upload) => DeliveryHeaders {
  return ({ blob }) => ({ headers: ['X-Accel-Redirect', `${prefix}${blob}`], omitHeader: 'Accept-Ranges' });
}

/** Apache and lighttpd decode the path. */
function bySendfile(prefix: string): (upload: Upload) => DeliveryHeaders {
  const before = prefix.split('/').map(encodeURIComponent).join('/');
  return ({ blob }) => ({ headers: ['X-Sendfile', `${before}${blob}`] });
}

/**
 * Where a web server serves the files of slots by itself, past Porter: their links lead there, and here is nothing.
 * Files of doors whose links others make are served all the same, because nobody else could find them.
 */
export function withoutSlotDownloads(data: DataPlane): DataPlane {
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
