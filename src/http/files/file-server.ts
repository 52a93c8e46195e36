import type { IncomingMessage, ServerResponse } from 'node:http';
import { Refusal } from '../../base/errors.ts';
import { createDownloads } from '../../uploads/downloads.ts';
import { removeByLocator } from '../../uploads/remove.ts';
import { CORS_HEADER_LIST, optionsHeaders } from '../common/cors.ts';
import { pathOfTarget } from '../common/request-target.ts';
import { sendEmpty } from '../common/send-empty.ts';
import { allowedMethods, type FileEndpoint, targetBelow } from './file-endpoint.ts';
import type { FileServerServices } from './file-server-services.ts';
import { handleGet } from './get.ts';
import { handlePut, sendRefusal } from './put.ts';
import { slotFileEndpoints } from './slot-file-endpoints.ts';

/** PUT, GET, HEAD and OPTIONS of files, on `node:http` itself. */
export interface FileServer {
  /** Is this path (of `req.url`, with or without its query) one of ours? */
  owns(path: string): boolean;
  handle(req: IncomingMessage, res: ServerResponse): void;
  /** Was the file with this locator asked for a moment ago? */
  isCached(locator: string): boolean;
  /** GET or HEAD of the file with this locator, whatever the path. */
  serve(req: IncomingMessage, res: ServerResponse, locator: string): void;
  /** For `checkContinue`: the client waits for `100 Continue`, which nobody has answered yet. */
  handleContinue(req: IncomingMessage, res: ServerResponse): void;
  /**
   * Takes no more PUTs (503) and resolves when every transfer in flight has ended and cleaned up after itself.
   * A caller who can wait no longer closes the connections; what is left then ends at once. May be called again.
   */
  close(): Promise<void>;
  /** Uploads and downloads that flow now. */
  transfersInFlight(): number;
}

export function createFileServer(deps: FileServerServices): FileServer {
  const serving = createDownloads(deps);
  const endpoints = [...slotFileEndpoints, ...(deps.endpoints ?? [])];
  const transfers = new Set<Promise<void>>();
  let stopping = false;

  const doorOf = (path: string) => endpoints.find((endpoint) => path.startsWith(endpoint.path));

  function take(req: IncomingMessage, res: ServerResponse, waits: boolean): void {
    const path = pathOfTarget(req.url ?? '/');
    const endpoint = doorOf(path);
    const { method } = req;
    if (endpoint === undefined) sendEmpty(res, 404);
    else if (endpoint.locate && (method === 'GET' || method === 'HEAD'))
      takeGet(req, res, endpoint.locate(path.slice(endpoint.path.length)));
    else if (endpoint.readPut && method === 'PUT') takePut(endpoint, req, res, waits);
    else if (method === 'DELETE' && endpoint.deleteReader?.())
      follow(handleDelete(deps, endpoint, req, res), res);
    else other(endpoint, req, res);
  }

  function takeGet(req: IncomingMessage, res: ServerResponse, locator: string | undefined): void {
    if (locator === undefined) sendEmpty(res, 404);
    else serveGet(req, res, locator);
  }

  function serveGet(req: IncomingMessage, res: ServerResponse, locator: string): void {
    const running = handleGet(deps, serving, req, res, locator);
    if (running !== undefined) follow(running, res);
  }

  function takePut(endpoint: FileEndpoint, req: IncomingMessage, res: ServerResponse, waits: boolean): void {
    if (stopping) sendRefusal(deps, endpoint, req, res, new Refusal('unavailable'));
    else follow(handlePut(deps, endpoint, req, res, waits), res);
  }

  function other(endpoint: FileEndpoint, req: IncomingMessage, res: ServerResponse): void {
    const allow = allowedMethods(endpoint);
    if (req.method === 'OPTIONS') {
      res.writeHead(200, optionsHeaders(allow)).end();
    } else if (req.method === 'GET' || req.method === 'HEAD') {
      sendEmpty(res, 405, ['Allow', allow]);
    } else {
      sendRefusal(deps, endpoint, req, res, new Refusal('method_not_allowed'), { Allow: allow });
    }
  }

  function follow(work: Promise<void>, res: ServerResponse): void {
    const watched = work
      .catch((err) => {
        deps.log.error({ err }, 'internal error');
        res.destroy();
      })
      .finally(() => transfers.delete(watched));
    transfers.add(watched);
  }

  return {
    owns: (path) => doorOf(path) !== undefined,
    handle: (req, res) => take(req, res, false),
    isCached: (locator) => serving.cached(locator) !== undefined,
    serve: serveGet,
    handleContinue: (req, res) => take(req, res, true),
    async close() {
      stopping = true;
      await Promise.all(transfers);
    },
    transfersInFlight: () => transfers.size,
  };
}

/** 204: it is gone now; 202: there was nothing (FIELD 5.3). */
async function handleDelete(
  deps: FileServerServices,
  endpoint: FileEndpoint,
  req: IncomingMessage,
  res: ServerResponse,
): Promise<void> {
  try {
    const order = endpoint.deleteReader?.()?.(targetBelow(endpoint, req.url ?? '/'));
    if (order === undefined) throw new Refusal('method_not_allowed');
    if (await removeByLocator(deps, order.locator, order.detail))
      res.writeHead(204, CORS_HEADER_LIST as string[]).end();
    else sendEmpty(res, 202);
  } catch (error) {
    sendRefusal(deps, endpoint, req, res, error);
  }
}
