import type { IncomingMessage, ServerResponse } from 'node:http';
import { Refusal } from '../base/errors.ts';
import type { Arrival } from '../uploads/incoming.ts';
import { receive } from '../uploads/receive.ts';
import { RequestBody } from './body.ts';
import { CORS_FLAT } from './cors.ts';
import type { DataPlaneDeps } from './data-deps.ts';
import { type FileDoor, targetBelow } from './file-door.ts';
import { linger } from './linger.ts';
import { answerTo } from './reply.ts';

/** Clients take nothing but exactly 201 (FIELD 2.4, rule 1). */
const STORED = [...CORS_FLAT, 'Content-Length', '0'];

/** A PUT at any door. Resolves when all is done, its connection included. */
export async function handlePut(
  deps: DataPlaneDeps,
  door: FileDoor,
  req: IncomingMessage,
  res: ServerResponse,
  waits: boolean,
): Promise<void> {
  const { idleTimeout } = deps.settings();
  const body = new RequestBody(req, { idleTimeout, ...(waits && { onAccept: () => res.writeContinue() }) });
  try {
    await receive(deps, { ...admit(deps, door, req), body });
    res.writeHead(201, STORED as string[]).end();
  } catch (error) {
    refuse(deps, door, req, res, error);
  }
}

function admit(deps: DataPlaneDeps, door: FileDoor, req: IncomingMessage): Omit<Arrival, 'body'> {
  try {
    if (door.admit === undefined) throw new Refusal('method_not_allowed');
    const arrival = door.admit(req, targetBelow(door, req.url ?? '/'));
    if (req.headers['content-range'] === undefined) return arrival;
    throw new Refusal('bad_request', { text: 'A PUT brings the whole file: no Content-Range, please.' });
  } catch (error) {
    if (error instanceof Refusal) noteRefusal(deps, door, error);
    throw error;
  }
}

/** Signatures that do not fit are mostly a secret that is not the XMPP server's: the admin must see them. */
function noteRefusal(
  { meter, log }: DataPlaneDeps,
  { statuses }: FileDoor,
  { code, message }: Refusal,
): void {
  const door = statuses ?? 'slot_api';
  meter.refused(door, code);
  log[code === 'signature_wrong' ? 'info' : 'debug']({ door, code }, `upload refused: ${message}`);
}

/** Answers at once, whatever of the body has come, and then lets the client read the answer in peace. */
export function refuse(
  deps: DataPlaneDeps,
  door: FileDoor,
  req: IncomingMessage,
  res: ServerResponse,
  error: unknown,
  extra: Readonly<Record<string, string>> = {},
): void {
  const context = { log: deps.log, now: deps.clock(), accept: req.headers.accept };
  const answer = answerTo(error, { ...context, door: door.statuses });
  if (res.destroyed) return;
  if (!req.complete) res.shouldKeepAlive = false;
  res.writeHead(answer.status, { ...answer.headers, ...extra });
  res.write(answer.body);
  linger(req, res);
}
