import type { IncomingMessage, ServerResponse } from 'node:http';
import type { HotFile } from '../uploads/hot.ts';
import type { OpenBlob, Serving } from '../uploads/serve.ts';
import { judgeConditions, rangeMayApply } from './conditions.ts';
import { CORS_FLAT } from './cors.ts';
import type { DataPlaneDeps } from './data-deps.ts';
import type { HandOver } from './delivery.ts';
import { sendBlob } from './download.ts';
import { sendEmpty } from './empty.ts';
import { cacheControl, type FileHeaders, headersOf } from './file-headers.ts';
import type { Links } from './presigned.ts';
import { type ByteRange, readRange } from './ranges.ts';
import { answerTo } from './reply.ts';

/** A request for a file that is there. */
interface Asked {
  readonly deps: DataPlaneDeps;
  readonly serving: Serving;
  readonly req: IncomingMessage;
  readonly res: ServerResponse;
  readonly file: HotFile;
  readonly headers: FileHeaders;
}

/**
 * GET and HEAD of a file. Clients save the body of an error as the file (FIELD 2.4, rule 2), so no error here has
 * one; unknown, expired and removed are the same 404. Resolves when the answer has left; undefined where it has
 * already, which is so for small files that are asked for again and again.
 */
export function handleGet(
  deps: DataPlaneDeps,
  serving: Serving,
  req: IncomingMessage,
  res: ServerResponse,
  locator: string,
): Promise<void> | undefined {
  const file = serving.known(locator);
  if (file === undefined) return lookAndAnswer(deps, serving, req, res, locator);
  return answer({ deps, serving, req, res, file, headers: headersNow(deps, file) });
}

function headersNow(deps: DataPlaneDeps, file: HotFile): FileHeaders {
  return headersOf(file, deps.settings(), deps.rules().retention);
}

async function lookAndAnswer(
  deps: DataPlaneDeps,
  serving: Serving,
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
  const status = judgeConditions(req.headers, headers);
  if (status !== undefined) return sendInstead(asked, status);
  const range = rangeOf(asked);
  if (range === 'unsatisfiable') {
    return sendEmpty(res, 416, ['Content-Range', `bytes */${file.upload.size}`]);
  }
  if (req.method === 'HEAD') return sendSmall(asked, undefined, undefined);
  if (deps.links && req.headers['if-match'] === undefined) return redirect(asked, deps.links);
  const handedOver = toWebServer(asked, range);
  if (handedOver) return handOver(asked, handedOver, range);
  return file.body ? sendSmall(asked, file.body, range) : openAndSend(asked, range);
}

/** Undefined where Porter sends it: also where a web server might understand the request in another way. */
function toWebServer({ deps, req, file }: Asked, range: ByteRange | undefined): HandOver | undefined {
  const peculiar =
    req.headers['if-match'] !== undefined || (req.headers.range !== undefined && range === undefined);
  return peculiar ? undefined : deps.delivery?.(file.upload, req);
}

/** The web server in front reads the file and the range; all that it has to say of the file comes from here. */
function handOver(asked: Asked, to: HandOver, range: ByteRange | undefined): undefined {
  const { deps, res, file, headers } = asked;
  const own = to.omit === undefined ? headers.part : without(to.omit, headers.part);
  const length = ['Content-Length', '0'];
  res.writeHead(200, [...length, ...to.headers, ...own, ...caching(deps, headers)]).end();
  deps.meter.served(range ? range.end - range.start : file.upload.size);
}

const REDIRECT = ['Content-Length', '0', 'Cache-Control', 'no-store'];

/**
 * To where the file lies. The next time it may be gone, so that no cache may answer in our place. If-Match alone stays
 * here, because the store has an ETag of its own.
 */
async function redirect(asked: Asked, links: Links): Promise<void> {
  const { deps, res, file, headers } = asked;
  try {
    const link = await links(file.upload, headers);
    res.writeHead(302, ['Location', link, ...REDIRECT, ...CORS_FLAT]).end();
    deps.meter.served(0);
  } catch (error) {
    failQuietly(deps, res, error);
  }
}

/** Headers as name, value, name, value, but for one. */
function without(name: string, headers: readonly string[]): string[] {
  return headers.filter((_, place) => headers[place - (place % 2)] !== name);
}

/** Only GET knows ranges (RFC 9110 §14.2). */
function rangeOf({ req, file, headers }: Asked): ReturnType<typeof readRange> {
  const { range } = req.headers;
  if (range === undefined || req.method !== 'GET') return undefined;
  return rangeMayApply(req.headers, headers) ? readRange(range, file.upload.size) : undefined;
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
    deps.meter.served(await sendBlob(res, blob, bytes, deps.settings().idleTimeout));
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
  deps.meter.served(bytes?.length ?? 0);
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

function caching(deps: DataPlaneDeps, { ownCaching, end }: FileHeaders): string[] {
  return ownCaching ? ['Cache-Control', cacheControl(end, deps.clock())] : [];
}

/** 304, or 412, with what a cache wants to know. */
function sendInstead({ deps, res, headers }: Asked, status: 304 | 412): undefined {
  const length = status === 412 ? ['Content-Length', '0'] : [];
  res.writeHead(status, [...length, ...headers.common, ...caching(deps, headers)]).end();
}

/** A fault of ours: the log has the story, the client a status and no body that it could take for the file. */
function failQuietly(deps: DataPlaneDeps, res: ServerResponse, error: unknown): void {
  const { status, headers } = answerTo(error, { log: deps.log, now: deps.clock() });
  const retryAfter = headers['Retry-After'];
  if (res.headersSent) res.destroy();
  else sendEmpty(res, status, retryAfter ? ['Retry-After', retryAfter] : []);
}
