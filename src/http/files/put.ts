import type { IncomingMessage, ServerResponse } from 'node:http';
import { Refusal } from '../../base/errors.ts';
import { receiveUpload } from '../../uploads/receive.ts';
import type { UploadRequest } from '../../uploads/upload-request.ts';
import { CORS_HEADER_LIST } from '../common/cors.ts';
import { drainRequest } from '../common/drain-request.ts';
import { errorResponse } from '../common/error-response.ts';
import { RequestBody } from '../common/request-body.ts';
import { type FileEndpoint, targetBelow } from './file-endpoint.ts';
import type { FileServerServices } from './file-server-services.ts';

/** Clients take nothing but exactly 201 (FIELD 2.4, rule 1). */
const STORED = [...CORS_HEADER_LIST, 'Content-Length', '0'];

/** A PUT at any door. Resolves when all is done, its connection included. */
export async function handlePut(
  deps: FileServerServices,
  endpoint: FileEndpoint,
  req: IncomingMessage,
  res: ServerResponse,
  waits: boolean,
): Promise<void> {
  const { idleTimeoutMs } = deps.settings();
  const body = new RequestBody(req, {
    idleTimeoutMs,
    ...(waits && { sendContinue: () => res.writeContinue() }),
  });
  try {
    await receiveUpload(deps, { ...admit(deps, endpoint, req), body });
    res.writeHead(201, STORED as string[]).end();
  } catch (error) {
    sendRefusal(deps, endpoint, req, res, error);
  }
}

function admit(
  deps: FileServerServices,
  endpoint: FileEndpoint,
  req: IncomingMessage,
): Omit<UploadRequest, 'body'> {
  try {
    if (endpoint.readPut === undefined) throw new Refusal('method_not_allowed');
    const arrival = endpoint.readPut(req, targetBelow(endpoint, req.url ?? '/'));
    if (req.headers['content-range'] === undefined) return arrival;
    throw new Refusal('bad_request', { text: 'A PUT brings the whole file: no Content-Range, please.' });
  } catch (error) {
    if (error instanceof Refusal) noteRefusal(deps, endpoint, error);
    throw error;
  }
}

/** Signatures that do not fit are mostly a secret that is not the XMPP server's: the admin must see them. */
function noteRefusal(
  { metrics, log }: FileServerServices,
  { name }: FileEndpoint,
  { code, message }: Refusal,
): void {
  const endpoint = name ?? 'slot_api';
  metrics.requestRefused(endpoint, code);
  log[code === 'signature_wrong' ? 'info' : 'debug']({ endpoint, code }, `upload refused: ${message}`);
}

/** Answers at once, whatever of the body has come, and then lets the client read the answer in peace. */
export function sendRefusal(
  deps: FileServerServices,
  endpoint: FileEndpoint,
  req: IncomingMessage,
  res: ServerResponse,
  error: unknown,
  extra: Readonly<Record<string, string>> = {},
): void {
  const context = { log: deps.log, now: deps.clock(), accept: req.headers.accept };
  const answer = errorResponse(error, { ...context, endpoint: endpoint.name });
  if (res.destroyed) return;
  if (!req.complete) res.shouldKeepAlive = false;
  res.writeHead(answer.status, { ...answer.headers, ...extra });
  res.write(answer.body);
  drainRequest(req, res);
}
