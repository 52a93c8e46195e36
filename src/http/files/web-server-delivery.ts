import type { IncomingMessage } from 'node:http';
import type { Upload } from '../../base/upload-records.ts';
import { GET_PREFIX } from '../../uploads/links.ts';
import { type AddressMatcher, isForwardedByTrustedProxy } from '../common/client-info.ts';
import { sendEmpty } from '../common/send-response.ts';
import type { DataPlane } from '../listener/http-server.ts';
import { requestedThumbnail } from './thumbnail-request.ts';

/** Headers that tell a web server to send a file, as name, value, name, value. */
export interface DeliveryHeaders {
  readonly headers: readonly string[];
  /** A header that the web server sets itself. Porter omits it so that it is not doubled. */
  readonly omitHeader?: string;
}

/**
 * Returns the headers that make the web server in front send the file, ranges included, or undefined if Porter sends the
 * file itself.
 */
export type WebServerDelivery = (upload: Upload, request: IncomingMessage) => DeliveryHeaders | undefined;

/** `downloads.via`. */
export type DownloadVia = 'self' | 'x-accel-redirect' | 'x-sendfile' | 'webserver' | 'presigned';

export interface DeliverySettings {
  readonly via: DownloadVia;
  /** `downloads.internal_prefix`. */
  readonly prefix: string | null;
  /** Folder of the blobs; undefined with an object store. */
  readonly blobFolder: string | undefined;
  /** `trusted_proxies`, called for every request. Only trusted proxies see paths of the disk. */
  readonly trustedProxies: () => AddressMatcher;
}

/** Returns undefined if Porter always sends the bytes itself. Requests that bypass the web server get them from Porter. */
export function createWebServerDelivery({
  via,
  prefix,
  blobFolder,
  trustedProxies,
}: DeliverySettings): WebServerDelivery | undefined {
  if (via !== 'x-accel-redirect' && via !== 'x-sendfile') return undefined;
  const headersFor =
    via === 'x-sendfile'
      ? xSendfileHeaders(prefix ?? `${blobFolder}/`)
      : xAccelRedirectHeaders(prefix ?? '/porter-blobs/');
  return (upload, request) =>
    isForwardedByTrustedProxy(request, trustedProxies()) ? headersFor(upload) : undefined;
}

/** nginx. */
function xAccelRedirectHeaders(prefix: string): (upload: Upload) => DeliveryHeaders {
  return ({ blob }) => ({ headers: ['X-Accel-Redirect', `${prefix}${blob}`], omitHeader: 'Accept-Ranges' });
}

/** Apache and lighttpd. Both decode the path. */
function xSendfileHeaders(prefix: string): (upload: Upload) => DeliveryHeaders {
  const encodedPrefix = prefix.split('/').map(encodeURIComponent).join('/');
  return ({ blob }) => ({ headers: ['X-Sendfile', `${encodedPrefix}${blob}`] });
}

/**
 * For `downloads.via: webserver`: answers 404 to downloads by slot id, because the links of slots lead to the web server.
 * Files of signed links are still served, because the web server cannot map these links to blobs, and so are thumbnails.
 */
export function withoutSlotDownloads(
  dataPlane: DataPlane,
  { hasThumbnails = false }: { readonly hasThumbnails?: boolean } = {},
): DataPlane {
  return {
    owns: (path) => dataPlane.owns(path),
    handle(request, response) {
      const { method, url = '/' } = request;
      const isThumbnail = hasThumbnails && requestedThumbnail(url) !== undefined;
      const isDownload =
        (method === 'GET' || method === 'HEAD') && url.startsWith(GET_PREFIX) && !isThumbnail;
      return isDownload ? sendEmpty(response, 404) : dataPlane.handle(request, response);
    },
    handleContinue: (request, response) => dataPlane.handleContinue(request, response),
  };
}
