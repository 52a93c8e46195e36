import type { IncomingMessage, ServerResponse } from 'node:http';
import { Refusal } from '../../base/errors.ts';
import { toPutKey } from '../../base/ids.ts';
import { createDownloads } from '../../uploads/downloads.ts';
import { GET_PREFIX, idInSubpath, PUT_PREFIX } from '../../uploads/links.ts';
import type { OldLinks } from '../../uploads/old-links.ts';
import { removeByLocator } from '../../uploads/remove.ts';
import { CORS_HEADER_LIST, optionsHeaders } from '../common/cors.ts';
import { pathOfTarget } from '../common/request-target.ts';
import { sendEmpty } from '../common/send-response.ts';
import type { OldLinkHandler } from '../listener/router.ts';
import {
  allowedMethods,
  contentTypeOrNull,
  declaredSizeOrNull,
  type FileEndpoint,
  targetBelow,
} from './file-endpoint.ts';
import { type GetServices, handleGet } from './get.ts';
import { handlePut, type PutServices, sendRefusal } from './put.ts';
import { secretOfTarget } from './resumable/resource-target.ts';
import { RESUMABLE_OPTIONS_HEADERS } from './resumable/upload-headers.ts';
import { handleResource } from './resumable/upload-resource.ts';

/** Serves PUT, GET, HEAD, DELETE and OPTIONS of files on `node:http`, without the router. */
export interface FileServer {
  /** Returns whether a path (of `req.url`, with or without its query) belongs to a file endpoint. */
  owns(path: string): boolean;
  handle(req: IncomingMessage, res: ServerResponse): void;
  /** Returns whether the file cache has a fresh entry for the file with this locator. */
  isCached(locator: string): boolean;
  /** Answers a GET or HEAD with the file that has this locator, for any path. */
  serve(req: IncomingMessage, res: ServerResponse, locator: string): void;
  /** Handles `checkContinue`: the client waits for `100 Continue` before it sends its body. */
  handleContinue(req: IncomingMessage, res: ServerResponse): void;
  /**
   * Refuses further PUTs (503) and resolves when every transfer in flight has ended and cleaned up. To end the transfers at
   * once, close their connections. May be called more than once.
   */
  close(): Promise<void>;
  /** Number of uploads and downloads in flight. */
  transfersInFlight(): number;
}

export type FileServerServices = GetServices &
  PutServices & {
    /** Endpoints in addition to those of Porter's own slots. */
    readonly endpoints?: readonly FileEndpoint[];
  };

/** Receives the PUTs of Porter's own slots. The token in the path identifies the slot. */
const slotPutEndpoint: FileEndpoint = {
  path: PUT_PREFIX,
  slotOf(below) {
    const token = idInSubpath(below);
    return token === undefined ? undefined : { putKey: toPutKey(token) };
  },
  readPut(req, { below }) {
    const token = idInSubpath(below);
    if (token === undefined) throw new Refusal('slot_unknown');
    const size = declaredSizeOrNull(req);
    return { by: { putKey: toPutKey(token) }, endpoint: 'slot_api', size, type: contentTypeOrNull(req) };
  },
};

/** Serves the files of Porter's own slots. */
const slotGetEndpoint: FileEndpoint = { path: GET_PREFIX, locate: idInSubpath };

export function createFileServer(services: FileServerServices): FileServer {
  const downloads = createDownloads(services);
  const endpoints = [slotGetEndpoint, slotPutEndpoint, ...(services.endpoints ?? [])];
  const transfers = new Set<Promise<void>>();
  let isStopping = false;

  const endpointFor = (path: string) => endpoints.find((endpoint) => path.startsWith(endpoint.path));

  function handleRequest(req: IncomingMessage, res: ServerResponse, expectsContinue: boolean): void {
    const path = pathOfTarget(req.url ?? '/');
    const endpoint = endpointFor(path);
    const { method } = req;
    const secret = endpoint?.readPut && secretOfTarget(req.url ?? '/');
    const resumable = secret ? services.settings().resumable : undefined;
    if (endpoint === undefined) sendEmpty(res, 404);
    else if (secret && resumable)
      startUpload(endpoint, req, res, () =>
        handleResource({ ...services, resumable }, endpoint, { secret, req, res, expectsContinue }),
      );
    else if (endpoint.locate && (method === 'GET' || method === 'HEAD'))
      serveIfLocated(req, res, endpoint.locate(path.slice(endpoint.path.length)));
    else if (endpoint.readPut && method === 'PUT')
      startUpload(endpoint, req, res, () => handlePut(services, endpoint, req, res, expectsContinue));
    else if (method === 'DELETE' && endpoint.deleteReader?.())
      track(handleDelete(services, endpoint, req, res), res);
    else handleOtherMethod(endpoint, req, res);
  }

  function serveIfLocated(req: IncomingMessage, res: ServerResponse, locator: string | undefined): void {
    if (locator === undefined) sendEmpty(res, 404);
    else serve(req, res, locator);
  }

  function serve(req: IncomingMessage, res: ServerResponse, locator: string): void {
    const running = handleGet(services, downloads, req, res, locator);
    if (running !== undefined) track(running, res);
  }

  function startUpload(
    endpoint: FileEndpoint,
    req: IncomingMessage,
    res: ServerResponse,
    handle: () => Promise<void>,
  ): void {
    if (isStopping) refuseWhileStopping(endpoint, req, res);
    else track(handle(), res);
  }

  function refuseWhileStopping(endpoint: FileEndpoint, req: IncomingMessage, res: ServerResponse): void {
    const refusal = new Refusal('unavailable');
    services.refusals.add({ kind: 'upload', endpoint: endpoint.name ?? 'slot_api', refusal });
    sendRefusal(services, endpoint, req, res, refusal);
  }

  function handleOtherMethod(endpoint: FileEndpoint, req: IncomingMessage, res: ServerResponse): void {
    const allow = allowedMethods(endpoint);
    if (req.method === 'OPTIONS') {
      const isResumable = endpoint.readPut && services.settings().resumable;
      const extra = isResumable ? RESUMABLE_OPTIONS_HEADERS : {};
      res.writeHead(200, { ...optionsHeaders(allow, req), ...extra }).end();
    } else if (req.method === 'GET' || req.method === 'HEAD') {
      sendEmpty(res, 405, ['Allow', allow]);
    } else {
      sendRefusal(services, endpoint, req, res, new Refusal('method_not_allowed'), { Allow: allow });
    }
  }

  function track(work: Promise<void>, res: ServerResponse): void {
    const tracked = work
      .catch((err) => {
        services.log.error({ err }, 'internal error');
        res.destroy();
      })
      .finally(() => transfers.delete(tracked));
    transfers.add(tracked);
  }

  return {
    owns: (path) => endpointFor(path) !== undefined,
    handle: (req, res) => handleRequest(req, res, false),
    isCached: (locator) => downloads.cached(locator) !== undefined,
    serve,
    handleContinue: (req, res) => handleRequest(req, res, true),
    async close() {
      isStopping = true;
      await Promise.all(transfers);
    },
    transfersInFlight: () => transfers.size,
  };
}

/** Answers 204 if the file was removed and 202 if there was none (docs/protocols.md, "Metronome"). */
async function handleDelete(
  services: FileServerServices,
  endpoint: FileEndpoint,
  req: IncomingMessage,
  res: ServerResponse,
): Promise<void> {
  try {
    const removal = endpoint.deleteReader?.()?.(targetBelow(endpoint, req.url ?? '/'));
    if (removal === undefined) throw new Refusal('method_not_allowed');
    if (await removeByLocator(services, removal.locator, removal.detail))
      res.writeHead(204, CORS_HEADER_LIST as string[]).end();
    else sendEmpty(res, 202);
  } catch (error) {
    sendRefusal(services, endpoint, req, res, error);
  }
}

type Route = (request: IncomingMessage, response: ServerResponse) => void;

/** Lets the router serve links of imported services. Their paths belong to no endpoint. */
export function createOldLinkHandler({ findLocator }: OldLinks, { serve }: FileServer): OldLinkHandler {
  return { locatorOf: findLocator, serve };
}

/** Serves cached files of imported services without the router. A recent look-up by the router has found their locators. */
export function withCachedOldLinks(links: OldLinks, fileServer: FileServer, route: Route): Route {
  return (request, response) => {
    const { method, url = '/' } = request;
    const locator =
      method === 'GET' || method === 'HEAD' ? links.cachedLocator(pathOfTarget(url)) : undefined;
    if (locator !== undefined && fileServer.isCached(locator)) fileServer.serve(request, response, locator);
    else route(request, response);
  };
}
