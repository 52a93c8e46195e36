import type { Upload } from '../base/records.ts';
import { GET_PREFIX } from '../uploads/links.ts';
import { sendEmpty } from './get.ts';
import type { DataDoor } from './server.ts';

/**
 * Who sends the bytes of a file that was found and may be fetched, where it is not Porter. Gives the headers by which
 * the web server in front is told to do it, ranges included.
 */
export type Delivery = (upload: Upload) => readonly string[];

/** Where the web server looks, if the config does not say: a location of its own, or below its whitelisted folder. */
const PREFIXES = { 'x-accel-redirect': '/porter-blobs/', 'x-sendfile': '' } as const;
const HEADERS = { 'x-accel-redirect': 'X-Accel-Redirect', 'x-sendfile': 'X-Sendfile' } as const;

/** `prefix` stands before a blob's key, which is `ab/<id>.<ext>` and needs no encoding. */
export function byWebServer(via: keyof typeof HEADERS, prefix: string | null): Delivery {
  const before = prefix ?? PREFIXES[via];
  return ({ blob }) => [HEADERS[via], `${before}${blob}`];
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
