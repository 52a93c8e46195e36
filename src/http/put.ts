import type { IncomingMessage, ServerResponse } from 'node:http';
import { Refusal } from '../base/errors.ts';
import { sha256Hex } from '../base/ids.ts';
import type { Arrival } from '../uploads/incoming.ts';
import { idInPath, PUT_PREFIX } from '../uploads/links.ts';
import { receive } from '../uploads/receive.ts';
import { RequestBody } from './body.ts';
import { CORS_FLAT } from './cors.ts';
import type { DataPlaneDeps } from './data-plane.ts';
import { linger } from './linger.ts';
import { answerTo } from './reply.ts';

/** Clients take nothing but exactly 201 (FIELD 2.4, rule 1). */
const STORED = [...CORS_FLAT, 'Content-Length', '0'];

/** A PUT to a slot of ours, found by its token. Resolves when all is done, its connection included. */
export async function handlePut(
  deps: DataPlaneDeps,
  req: IncomingMessage,
  res: ServerResponse,
  path: string,
  waits: boolean,
): Promise<void> {
  const { idleTimeout } = deps.settings();
  const body = new RequestBody(req, { idleTimeout, ...(waits && { onAccept: () => res.writeContinue() }) });
  try {
    await receive(deps, readArrival(req, path, body));
    res.writeHead(201, STORED as string[]).end();
  } catch (error) {
    refuse(deps, req, res, error);
  }
}

function readArrival(req: IncomingMessage, path: string, body: RequestBody): Arrival {
  const token = idInPath(path, PUT_PREFIX);
  if (token === undefined) throw new Refusal('slot_unknown');
  if (req.headers['content-range'] !== undefined) {
    throw new Refusal('bad_request', { text: 'A PUT brings the whole file: no Content-Range, please.' });
  }
  return {
    by: { putKey: sha256Hex(token) },
    door: 'slot_api',
    size: declaredLength(req),
    type: req.headers['content-type'] ?? null,
    body,
  };
}

function declaredLength(req: IncomingMessage): number {
  const text = req.headers['content-length'];
  if (text === undefined) throw new Refusal('length_required');
  return Number(text);
}

/** Answers at once, whatever of the body has come, and then lets the client read the answer in peace. */
export function refuse(
  deps: DataPlaneDeps,
  req: IncomingMessage,
  res: ServerResponse,
  error: unknown,
  extra: Readonly<Record<string, string>> = {},
): void {
  const answer = answerTo(error, { log: deps.log, now: deps.clock(), accept: req.headers.accept });
  if (res.destroyed) return;
  if (!req.complete) res.shouldKeepAlive = false;
  res.writeHead(answer.status, { ...answer.headers, ...extra });
  res.write(answer.body);
  linger(req, res);
}
