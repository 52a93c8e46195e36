import type { IncomingMessage, ServerResponse } from 'node:http';
import { Refusal } from '../base/errors.ts';
import { removeAt } from '../uploads/remove.ts';
import { createServing } from '../uploads/serve.ts';
import { CORS_FLAT, optionsHeaders } from './cors.ts';
import type { DataPlaneDeps } from './data-deps.ts';
import { sendEmpty } from './empty.ts';
import { type FileDoor, methodsOf, targetBelow } from './file-door.ts';
import { handleGet } from './get.ts';
import { pathOf } from './paths.ts';
import { handlePut, refuse } from './put.ts';
import { slotDoors } from './slot-doors.ts';

/** PUT, GET, HEAD and OPTIONS of files, on `node:http` itself. */
export interface DataPlane {
  /** Is this path (of `req.url`, with or without its query) one of ours? */
  owns(path: string): boolean;
  handle(req: IncomingMessage, res: ServerResponse): void;
  /** Was the file with this locator asked for a moment ago? */
  knows(locator: string): boolean;
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

export function dataPlane(deps: DataPlaneDeps): DataPlane {
  const serving = createServing(deps);
  const doors = [...slotDoors, ...(deps.doors ?? [])];
  const transfers = new Set<Promise<void>>();
  let stopping = false;

  const doorOf = (path: string) => doors.find((door) => path.startsWith(door.path));

  function take(req: IncomingMessage, res: ServerResponse, waits: boolean): void {
    const path = pathOf(req.url ?? '/');
    const door = doorOf(path);
    const { method } = req;
    if (door === undefined) sendEmpty(res, 404);
    else if (door.locate && (method === 'GET' || method === 'HEAD'))
      takeGet(req, res, door.locate(path.slice(door.path.length)));
    else if (door.admit && method === 'PUT') takePut(door, req, res, waits);
    else if (method === 'DELETE' && door.doom?.()) follow(handleDelete(deps, door, req, res), res);
    else other(door, req, res);
  }

  function takeGet(req: IncomingMessage, res: ServerResponse, locator: string | undefined): void {
    if (locator === undefined) sendEmpty(res, 404);
    else serveGet(req, res, locator);
  }

  function serveGet(req: IncomingMessage, res: ServerResponse, locator: string): void {
    const running = handleGet(deps, serving, req, res, locator);
    if (running !== undefined) follow(running, res);
  }

  function takePut(door: FileDoor, req: IncomingMessage, res: ServerResponse, waits: boolean): void {
    if (stopping) refuse(deps, door, req, res, new Refusal('unavailable'));
    else follow(handlePut(deps, door, req, res, waits), res);
  }

  function other(door: FileDoor, req: IncomingMessage, res: ServerResponse): void {
    const allow = methodsOf(door);
    if (req.method === 'OPTIONS') {
      res.writeHead(200, optionsHeaders(allow)).end();
    } else if (req.method === 'GET' || req.method === 'HEAD') {
      sendEmpty(res, 405, ['Allow', allow]);
    } else {
      refuse(deps, door, req, res, new Refusal('method_not_allowed'), { Allow: allow });
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
    knows: (locator) => serving.known(locator) !== undefined,
    serve: serveGet,
    handleContinue: (req, res) => take(req, res, true),
    async close() {
      stopping = true;
      await Promise.all(transfers);
    },
    inFlight: () => transfers.size,
  };
}

/** 204: it is gone now; 202: there was nothing (FIELD 5.3). */
async function handleDelete(
  deps: DataPlaneDeps,
  door: FileDoor,
  req: IncomingMessage,
  res: ServerResponse,
): Promise<void> {
  try {
    const order = door.doom?.()?.(targetBelow(door, req.url ?? '/'));
    if (order === undefined) throw new Refusal('method_not_allowed');
    if (await removeAt(deps, order.locator, order.detail)) res.writeHead(204, CORS_FLAT as string[]).end();
    else sendEmpty(res, 202);
  } catch (error) {
    refuse(deps, door, req, res, error);
  }
}
