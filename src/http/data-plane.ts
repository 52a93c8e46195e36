import type { IncomingMessage, ServerResponse } from 'node:http';
import { Refusal } from '../base/errors.ts';
import type { HotFiles } from '../uploads/hot.ts';
import type { ReceiveDeps } from '../uploads/incoming.ts';
import { GET_PREFIX, idInPath, PUT_PREFIX } from '../uploads/links.ts';
import { createServing } from '../uploads/serve.ts';
import { optionsHeaders } from './cors.ts';
import { handleGet, sendEmpty } from './get.ts';
import { pathOf } from './paths.ts';
import { handlePut, refuse } from './put.ts';

/** What a reload may change. */
export interface DataPlaneSettings {
  /** `uploads.idle_timeout`: milliseconds for which a sender may be silent. */
  readonly idleTimeout: number;
  /** `downloads.inline_types`. */
  readonly inlineTypes: readonly string[];
  /** `downloads.headers`: they replace ours of the same name. */
  readonly downloadHeaders: Readonly<Record<string, string>>;
}

export interface DataPlaneDeps extends ReceiveDeps {
  /** Asked at every request; the same object as long as nothing has changed. */
  readonly settings: () => DataPlaneSettings;
  /** `createHotFiles()`, one for the process: tell it of every removal (`forget`). */
  readonly hot: HotFiles;
}

/** PUT, GET, HEAD and OPTIONS of files, on `node:http` itself. */
export interface DataPlane {
  /** Is this path (of `req.url`, with or without its query) one of ours? */
  owns(path: string): boolean;
  handle(req: IncomingMessage, res: ServerResponse): void;
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
  inFlight(): number;
}

const PUT_METHODS = 'OPTIONS, PUT';
const GET_METHODS = 'OPTIONS, HEAD, GET';

export function dataPlane(deps: DataPlaneDeps): DataPlane {
  const serving = createServing(deps);
  const transfers = new Set<Promise<void>>();
  let stopping = false;

  function take(req: IncomingMessage, res: ServerResponse, waits: boolean): void {
    const path = pathOf(req.url ?? '/');
    if (path.startsWith(GET_PREFIX)) takeGet(req, res, path);
    else takePut(req, res, path, waits);
  }

  function takeGet(req: IncomingMessage, res: ServerResponse, path: string): void {
    if (req.method !== 'GET' && req.method !== 'HEAD') {
      other(req, res, GET_METHODS);
      return;
    }
    const id = idInPath(path, GET_PREFIX);
    if (id === undefined) sendEmpty(res, 404);
    else serveGet(req, res, id);
  }

  function serveGet(req: IncomingMessage, res: ServerResponse, locator: string): void {
    const running = handleGet(deps, serving, req, res, locator);
    if (running !== undefined) follow(running, res);
  }

  function takePut(req: IncomingMessage, res: ServerResponse, path: string, waits: boolean): void {
    if (req.method !== 'PUT') other(req, res, PUT_METHODS);
    else if (stopping) refuse(deps, req, res, new Refusal('unavailable'));
    else follow(handlePut(deps, req, res, path, waits), res);
  }

  function other(req: IncomingMessage, res: ServerResponse, allow: string): void {
    if (req.method === 'OPTIONS') {
      res.writeHead(200, optionsHeaders(allow)).end();
    } else if (req.method === 'GET' || req.method === 'HEAD') {
      sendEmpty(res, 405, ['Allow', allow]);
    } else {
      refuse(deps, req, res, new Refusal('method_not_allowed'), { Allow: allow });
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
    owns: (path) => path.startsWith(GET_PREFIX) || path.startsWith(PUT_PREFIX),
    handle: (req, res) => take(req, res, false),
    serve: serveGet,
    handleContinue: (req, res) => take(req, res, true),
    async close() {
      stopping = true;
      await Promise.all(transfers);
    },
    inFlight: () => transfers.size,
  };
}
