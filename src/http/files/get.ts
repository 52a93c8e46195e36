import type { IncomingMessage, ServerResponse } from 'node:http';
import type { ThumbnailWidth } from '../../base/blob-keys.ts';
import type { ByteRange, Downloads, OpenBlob } from '../../uploads/downloads.ts';
import type { CachedFile } from '../../uploads/file-cache.ts';
import type { UploadServices } from '../../uploads/services.ts';
import { closedSignal } from '../common/closed-signal.ts';
import { CORS_HEADER_LIST } from '../common/cors.ts';
import { errorResponse } from '../common/error-response.ts';
import { sendEmpty } from '../common/send-response.ts';
import { evaluateConditions, isRangeApplicable, parseRange } from './conditional-request.ts';
import {
  cacheControl,
  type FileHeaders,
  type FileServerSettings,
  fileHeadersFor,
  maxAgeSeconds,
} from './file-headers.ts';
import { createPreparedResponses } from './prepared-response.ts';
import type { PresignedLinks } from './presigned-links.ts';
import { sendBlob } from './send-blob.ts';
import { asFile, requestedThumbnail } from './thumbnail-request.ts';
import type { DeliveryHeaders, WebServerDelivery } from './web-server-delivery.ts';

export type GetServices = Pick<UploadServices, 'rules' | 'clock' | 'log' | 'metrics' | 'thumbnails'> & {
  /** Called for every request. Returns the same object until a reload changes a setting. */
  readonly settings: () => FileServerSettings;
  /** Lets the web server in front send the bytes; undefined if Porter sends all bytes. */
  readonly delivery?: WebServerDelivery | undefined;
  /** Redirects downloads to the object store; undefined if Porter sends all bytes. */
  readonly presignedLinks?: PresignedLinks | undefined;
};

/** A GET or HEAD of a file that exists. */
interface FileRequest {
  readonly services: GetServices;
  readonly downloads: Downloads;
  readonly req: IncomingMessage;
  readonly res: ServerResponse;
  readonly file: CachedFile;
  readonly headers: FileHeaders;
  readonly isThumbnail?: boolean;
}

/**
 * Answers GET and HEAD of a file. Errors have an empty body, because clients save it as the file; unknown, expired and
 * removed files are the same 404 (docs/protocols.md, "GET answers"). Returns undefined if the answer is already written,
 * as for small files in the cache; otherwise resolves when it is.
 */
export function handleGet(
  services: GetServices,
  downloads: Downloads,
  req: IncomingMessage,
  res: ServerResponse,
  locator: string,
): Promise<void> | undefined {
  const { thumbnails } = services;
  const width = thumbnails && requestedThumbnail(req.url ?? '');
  if (width !== undefined) return answerWithThumbnail(services, downloads, { req, res, locator, width });
  const file = downloads.cached(locator);
  if (file === undefined) return findAndAnswer(services, downloads, req, res, locator);
  return answer({ services, downloads, req, res, file, headers: currentHeaders(services, file) });
}

function currentHeaders(services: GetServices, file: CachedFile): FileHeaders {
  return fileHeadersFor(file, services.settings(), services.rules().retention);
}

async function findAndAnswer(
  services: GetServices,
  downloads: Downloads,
  req: IncomingMessage,
  res: ServerResponse,
  locator: string,
): Promise<void> {
  try {
    const file = await downloads.find(locator);
    if (file) await answer({ services, downloads, req, res, file, headers: currentHeaders(services, file) });
    else sendEmpty(res, 404);
  } catch (error) {
    sendInternalError(services, res, error);
  }
}

interface ThumbnailRequest {
  readonly req: IncomingMessage;
  readonly res: ServerResponse;
  readonly locator: string;
  readonly width: ThumbnailWidth | 'unsupported';
}

/**
 * Answers with the thumbnail of a file, under the rules of the file itself. Answers 404 if the file has no thumbnail, and 400 for an
 * unsupported width. Porter sends thumbnails itself, also if a web server or the object store sends the files.
 */
async function answerWithThumbnail(
  services: GetServices,
  downloads: Downloads,
  { req, res, locator, width }: ThumbnailRequest,
): Promise<void> {
  if (width === 'unsupported') return sendEmpty(res, 400);
  const closed = closedSignal(res);
  const findFile = async () => downloads.cached(locator) ?? (await downloads.find(locator));
  try {
    const file = await findFile();
    const bytes = file && (await services.thumbnails?.find(file.upload, width, closed));
    // The file may have been removed while its thumbnail was made.
    const current = bytes && (await findFile());
    if (bytes === undefined || current?.upload.id !== file?.upload.id || current === undefined)
      return sendEmpty(res, 404);
    const thumbnail = asFile(current, width, bytes);
    const headers = currentHeaders(services, thumbnail);
    const own = withoutOtherSenders(services);
    await answer({ services: own, downloads, req, res, file: thumbnail, headers, isThumbnail: true });
  } catch (error) {
    if (!closed.aborted) sendInternalError(services, res, error);
  }
}

function withoutOtherSenders(services: GetServices): GetServices {
  const { metrics } = services;
  return {
    ...services,
    delivery: undefined,
    presignedLinks: undefined,
    metrics: { ...metrics, downloadServed: (bytes) => metrics.thumbnailServed(bytes) },
  };
}

function answer(request: FileRequest): Promise<void> | undefined {
  if (!request.isThumbnail && sendPrepared(request)) return undefined;
  const { services, req, res, file, headers } = request;
  const status = evaluateConditions(req.headers, headers);
  if (status !== undefined) return sendConditionStatus(request, status);
  const range = requestedRange(request);
  if (range === 'unsatisfiable') {
    return sendEmpty(res, 416, ['Content-Range', `bytes */${file.upload.size}`]);
  }
  if (req.method === 'HEAD') return sendWhole(request, undefined, undefined);
  if (services.presignedLinks && req.headers['if-match'] === undefined)
    return redirect(request, services.presignedLinks);
  const delivery = webServerDelivery(request, range);
  if (delivery) return delegateToWebServer(request, delivery, range);
  return file.body ? sendWhole(request, file.body, range) : openAndSend(request, range);
}

/**
 * Returns undefined if Porter sends the bytes itself. This includes requests that the web server may read differently:
 * `If-Match`, whose ETag it does not know, and ranges that Porter ignores.
 */
function webServerDelivery(
  { services, req, file }: FileRequest,
  range: ByteRange | undefined,
): DeliveryHeaders | undefined {
  const isAmbiguous =
    req.headers['if-match'] !== undefined || (req.headers.range !== undefined && range === undefined);
  return isAmbiguous ? undefined : services.delivery?.(file.upload, req);
}

/** The web server reads the file and applies the range; every header that describes the file is set here. */
function delegateToWebServer(
  request: FileRequest,
  delivery: DeliveryHeaders,
  range: ByteRange | undefined,
): undefined {
  const { services, res, file, headers } = request;
  const { omitHeader } = delivery;
  const fileHeaders = omitHeader === undefined ? headers.part : withoutHeader(omitHeader, headers.part);
  const length = ['Content-Length', '0'];
  res
    .writeHead(200, [...length, ...delivery.headers, ...fileHeaders, ...cacheHeaders(services, headers)])
    .end();
  services.metrics.downloadServed(range ? range.end - range.start : file.upload.size);
}

const REDIRECT_HEADERS = ['Content-Length', '0', 'Cache-Control', 'no-store'];

/**
 * Redirects to the object store. The redirect must not be cached, because the file may be removed. Requests with `If-Match`
 * are not redirected, because the store has an ETag that differs from Porter's.
 */
async function redirect(request: FileRequest, presignedLinks: PresignedLinks): Promise<void> {
  const { services, res, file, headers } = request;
  try {
    const link = await presignedLinks(file.upload, headers);
    res.writeHead(302, ['Location', link, ...REDIRECT_HEADERS, ...CORS_HEADER_LIST]).end();
    services.metrics.downloadServed(0);
  } catch (error) {
    sendInternalError(services, res, error);
  }
}

/** Removes one header from a list of name, value, name, value. */
function withoutHeader(name: string, headers: readonly string[]): string[] {
  return headers.filter((_, index) => headers[index - (index % 2)] !== name);
}

/** Ranges are defined only for GET (RFC 9110 §14.2). */
function requestedRange({ req, file, headers }: FileRequest): ReturnType<typeof parseRange> {
  const { range } = req.headers;
  if (range === undefined || req.method !== 'GET') return undefined;
  return isRangeApplicable(req.headers, headers) ? parseRange(range, file.upload.size) : undefined;
}

async function openAndSend(request: FileRequest, range: ByteRange | undefined): Promise<void> {
  const { services, downloads, res, file } = request;
  try {
    const bytes = await downloads.open(file, range);
    if (bytes === undefined) sendEmpty(res, 404);
    else if (bytes instanceof Uint8Array) sendWhole(request, bytes, range);
    else await sendStream(request, bytes, range);
  } catch (error) {
    sendInternalError(services, res, error);
  }
}

async function sendStream(request: FileRequest, blob: OpenBlob, range: ByteRange | undefined): Promise<void> {
  const { services, res } = request;
  try {
    writeHead(request, range);
    const bytes = range ?? { start: 0, end: blob.size };
    services.metrics.downloadServed(await sendBlob(res, blob, bytes, services.settings().idleTimeoutMs));
  } finally {
    await blob.close();
  }
}

/** Sends the whole answer at once. `body` is undefined for HEAD. */
function sendWhole(request: FileRequest, body: Buffer | undefined, range: ByteRange | undefined): undefined {
  const { services, res } = request;
  const bytes = range ? body?.subarray(range.start, range.end) : body;
  writeHead(request, range);
  if (body && !range && !request.isThumbnail)
    prepared.keep(request.headers, preparedKey(request), request.req, res);
  res.end(bytes);
  services.metrics.downloadServed(bytes?.length ?? 0);
}

const prepared = createPreparedResponses();

/** Sends a prepared response if there is one. Returns false if Porter does not send the bytes of all files itself. */
function sendPrepared(request: FileRequest): boolean {
  const { services, req, res, file, headers } = request;
  const { body } = file;
  if (body === undefined || services.delivery || services.presignedLinks) return false;
  if (!prepared.send(headers, preparedKey(request), req, res, body)) return false;
  services.metrics.downloadServed(body.length);
  return true;
}

/** Returns a number that changes whenever `Date` or `max-age` changes. */
function preparedKey({ services, headers }: FileRequest): number {
  const second = Math.floor(Date.now() / 1000);
  const { expiresAt } = headers;
  // `max-age` has at most eight digits, so the sum is an exact integer.
  return expiresAt === null ? second : (second % 1e7) * 1e8 + maxAgeSeconds(expiresAt, services.clock());
}

function writeHead({ services, res, file, headers }: FileRequest, range: ByteRange | undefined): void {
  if (range === undefined) {
    res.writeHead(200, [...headers.whole, ...cacheHeaders(services, headers)]);
    return;
  }
  const { start, end } = range;
  const length = ['Content-Length', String(end - start)];
  const contentRange = ['Content-Range', `bytes ${start}-${end - 1}/${file.upload.size}`];
  res.writeHead(206, [...length, ...contentRange, ...headers.part, ...cacheHeaders(services, headers)]);
}

function cacheHeaders(services: GetServices, { setsCacheControl, expiresAt }: FileHeaders): string[] {
  return setsCacheControl ? ['Cache-Control', cacheControl(expiresAt, services.clock())] : [];
}

/** Sends 304 with the headers that a cache updates, or 412. */
function sendConditionStatus({ services, res, headers }: FileRequest, status: 304 | 412): undefined {
  const length = status === 412 ? ['Content-Length', '0'] : [];
  res.writeHead(status, [...length, ...headers.common, ...cacheHeaders(services, headers)]).end();
}

/** Logs the error and sends its status without a body. Closes the connection if the answer has begun. */
function sendInternalError(services: GetServices, res: ServerResponse, error: unknown): void {
  const { status, headers } = errorResponse(error, { log: services.log, now: services.clock() });
  const retryAfter = headers['Retry-After'];
  if (res.headersSent) res.destroy();
  else sendEmpty(res, status, retryAfter ? ['Retry-After', retryAfter] : []);
}
