import { Refusal } from '../../base/errors.ts';
import type { Upload } from '../../base/upload-records.ts';
import { closedSignal } from '../../http/common/closed-signal.ts';
import { SHOWN_WIDTH } from '../../uploads/links.ts';
import { API_HEADERS } from '../serve/page-headers.ts';
import type { WebServices } from '../web-services.ts';
import type { ApiCall } from './handlers.ts';

/**
 * Sends the thumbnail of the file that `findFile` returns. Browsers cache it, but revalidate it each time. Throws `Refusal`:
 * `not_found` if the file has no thumbnail, and the refusals of `Thumbnails.find` and of `findFile`.
 */
export async function sendThumbnail(
  { thumbnails, metrics }: Pick<WebServices, 'thumbnails' | 'metrics'>,
  findFile: () => Promise<Upload>,
  { request, reply }: Pick<ApiCall, 'request' | 'reply'>,
): Promise<undefined> {
  const { raw } = reply;
  const file = await findFile();
  const bytes = await thumbnails?.find(file, SHOWN_WIDTH, closedSignal(raw));
  if (bytes === undefined) throw new Refusal('not_found', { text: 'This file has no thumbnail.' });
  // The file may have been removed while its thumbnail was made.
  await findFile();
  const etag = `"${file.id}-${SHOWN_WIDTH}"`;
  const headers = { ...API_HEADERS, 'Cache-Control': 'private, no-cache', ETag: etag };
  reply.hijack();
  if (request.headers['if-none-match'] === etag) {
    raw.writeHead(304, headers).end();
    return undefined;
  }
  raw.writeHead(200, { ...headers, 'Content-Type': 'image/webp', 'Content-Length': String(bytes.length) });
  raw.end(bytes);
  metrics.thumbnailServed(bytes.length);
  return undefined;
}
