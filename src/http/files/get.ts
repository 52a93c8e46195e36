import type { IncomingMessage, ServerResponse } from 'node:http';
import type { ByteRange, Downloads, OpenBlob } from '../../uploads/downloads.ts';
import type { CachedFile } from '../../uploads/file-cache.ts';
import { CORS_HEADER_LIST } from '../common/cors.ts';
import { errorResponse } from '../common/error-response.ts';
import { sendEmpty } from '../common/send-empty.ts';
import { evaluateConditions, isRangeApplicable } from './conditional-request.ts';
import { cacheControl, type FileHeaders, fileHeadersFor } from './file-headers.ts';
import type { FileServerServices } from './file-server-services.ts';
import type { PresignedLinks } from './presigned-links.ts';
import { parseRange } from './range-header.ts';
import { sendBlob } from './send-blob.ts';
import type { DeliveryHeaders } from './web-server-delivery.ts';

/** A request for a file that is there. */
interface Asked {
  readonly deps: FileServerServices;
  readonly serving: Downloads;
  readonly req: IncomingMessage;
  readonly res: ServerResponse;
  readonly file: CachedFile;
  readonly headers: FileHeaders;
}

/**
 * GET and HEAD of a file. Clients save the body of an error as the file (FIELD 2.4, rule 2), so no error here has
 * one; unknown, expired and removed are the same 404. Resolves when the answer has left; undefined where it has
 * already, which is so for small files that are asked for again and again.
 */
export function handleGet(
  deps: FileServerServices,
  serving: Downloads,
  req: IncomingMessage,
  res: ServerResponse,
  locator: string,
): Promise<void> | undefined {
  const file = serving.cached(locator);
  if (file === undefined) return lookAndAnswer(deps, serving, req, res, locator);
  return answer({ deps, serving, req, res, file, headers: headersNow(deps, file) });
}

function headersNow(deps: FileServerServices, file: CachedFile): FileHeaders {
  return fileHeadersFor(file, deps.settings(), deps.rules().retention);
}

async function lookAndAnswer(
  deps: FileServerServices,
  serving: Downloads,
  req: IncomingMessage,
  res: ServerResponse,
  locator: string,
): Promise<void> {
  try {
    const file = await serving.find(locator);
    if (file) await answer({ deps, serving, req, res, file, headers: headersNow(deps, file) });
    else sendEmpty(res, 404);
  } catch (error) {
    failQuietly(deps, res, error);
  }
}

function answer(asked: Asked): Promise<void> | undefined {
  const { deps, req, res, file, headers } = asked;
  const status = evaluateConditions(req.headers, headers);
  if (status !== undefined) return sendInstead(asked, status);
  const range = rangeOf(asked);
  if (range === 'unsatisfiable') {
    return sendEmpty(res, 416, ['Content-Range', `bytes */${file.upload.size}`]);
  }
  if (req.method === 'HEAD') return sendSmall(asked, undefined, undefined);
  if (deps.presignedLinks && req.headers['if-match'] === undefined)
    return redirect(asked, deps.presignedLinks);
  const handedOver = toWebServer(asked, range);
  if (handedOver) return handOver(asked, handedOver, range);
  return file.body ? sendSmall(asked, file.body, range) : openAndSend(asked, range);
}

/** Undefined where Porter sends it: also where a web server might understand the request in another way. */
function toWebServer({ deps, req, file }: Asked, range: ByteRange | undefined): DeliveryHeaders | undefined {
  const peculiar =
    req.headers['if-match'] !== undefined || (req.headers.range !== undefined && range === undefined);
  return peculiar ? undefined : deps.delivery?.(file.upload, req);
}

/** The web server in front reads the file and the range; all that it has to say of the file comes from here. */
function handOver(asked: Asked, to: DeliveryHeaders, range: ByteRange | undefined): undefined {
  const { deps, res, file, headers } = asked;
  const own = to.omitHeader === undefined ? headers.part : without(to.omitHeader, headers.part);
  const length = ['Content-Length', '0'];
  res.writeHead(200, [...length, ...to.headers, ...own, ...caching(deps, headers)]).end();
  deps.metrics.downloadServed(range ? range.end - range.start : file.upload.size);
}

const REDIRECT = ['Content-Length', '0', 'Cache-Control', 'no-store'];

/**
 * To where the file lies. The next time it may be gone, so that no cache may answer in our place. If-Match alone stays
 * here, because the store has an ETag of its own.
 */
async function redirect(asked: Asked, links: PresignedLinks): Promise<void> {
  const { deps, res, file, headers } = asked;
  try {
    const link = await links(file.upload, headers);
    res.writeHead(302, ['Location', link, ...REDIRECT, ...CORS_HEADER_LIST]).end();
    deps.metrics.downloadServed(0);
  } catch (error) {
    failQuietly(deps, res, error);
  }
}

/** Headers as name, value, name, value, but for one. */
function without(name: string, headers: readonly string[]): string[] {
  return headers.filter((_, place) => headers[place - (place % 2)] !== name);
}

/** Only GET knows ranges (RFC 9110 §14.2). */
function rangeOf({ req, file, headers }: Asked): ReturnType<typeof parseRange> {
  const { range } = req.headers;
  if (range === undefined || req.method !== 'GET') return undefined;
  return isRangeApplicable(req.headers, headers) ? parseRange(range, file.upload.size) : undefined;
}

async function openAndSend(asked: Asked, range: ByteRange | undefined): Promise<void> {
  const { deps, serving, res, file } = asked;
  try {
    const bytes = await serving.open(file, range);
    if (bytes === undefined) sendEmpty(res, 404);
    else if (bytes instanceof Uint8Array) sendSmall(asked, bytes, range);
    else await sendLarge(asked, bytes, range);
  } catch (error) {
    failQuietly(deps, res, error);
  }
}

async function sendLarge(asked: Asked, blob: OpenBlob, range: ByteRange | undefined): Promise<void> {
  const { deps, res } = asked;
  try {
    writeHead(asked, range);
    const bytes = range ?? { start: 0, end: blob.size };
    deps.metrics.downloadServed(await sendBlob(res, blob, bytes, deps.settings().idleTimeoutMs));
  } finally {
    await blob.close();
  }
}

/** The whole answer at once; HEAD's has no body. */
function sendSmall(asked: Asked, body: Buffer | undefined, range: ByteRange | undefined): undefined {
  const { deps, res } = asked;
  const bytes = range ? body?.subarray(range.start, range.end) : body;
  writeHead(asked, range);
  res.end(bytes);
  deps.metrics.downloadServed(bytes?.length ?? 0);
}

function writeHead({ deps, res, file, headers }: Asked, range: ByteRange | undefined): void {
  if (range === undefined) {
    res.writeHead(200, [...headers.whole, ...caching(deps, headers)]);
    return;
  }
  const { start, end } = range;
  const length = ['Content-Length', String(end - start)];
  const place = ['Content-Range', `bytes ${start}-${end - 1}/${file.upload.size}`];
  res.writeHead(206, [...length, ...place, ...headers.part, ...caching(deps, headers)]);
}

function caching(deps: FileServerServices, { setsCacheControl, expiresAt }: FileHeaders): string[] {
  return setsCacheControl ? ['Cache-Control', cacheControl(expiresAt, deps.clock())] : [];
}

/** 304, or 412, with what a cache wants to know. */
function sendInstead({ deps, res, headers }: Asked, status: 304 | 412): undefined {
  const length = status === 412 ? ['Content-Length', '0'] : [];
  res.writeHead(status, [...length, ...headers.common, ...caching(deps, headers)]).end();
}

/** A fault of ours: the log has the story, the client a status and no body that it could take for the file. */
function failQuietly(deps: FileServerServices, res: ServerResponse, error: unknown): void {
  const { status, headers } = errorResponse(error, { log: deps.log, now: deps.clock() });
  const retryAfter = headers['Retry-After'];
  if (res.headersSent) res.destroy();
  else sendEmpty(res, status, retryAfter ? ['Retry-After', retryAfter] : []);
}
