import type { IncomingMessage, OutgoingHttpHeaders, ServerResponse } from 'node:http';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { CORS_HEADER_LIST } from './cors.ts';
import type { HttpResponse } from './error-response.ts';

/** Sends a response without a body, with CORS headers. `extraHeaders` is name, value, name, value. */
export function sendEmpty(
  res: ServerResponse,
  status: number,
  extraHeaders: readonly string[] = [],
): undefined {
  res.writeHead(status, ['Content-Length', '0', ...extraHeaders, ...CORS_HEADER_LIST]).end();
}

/** Sends a response through Fastify. If the request body has not arrived yet, drains it so that the client can read. */
export function sendResponse(
  request: FastifyRequest,
  reply: FastifyReply,
  { status, headers, body }: HttpResponse,
): FastifyReply {
  if (request.raw.complete || reply.raw.destroyed) return reply.code(status).headers(headers).send(body);
  reply.hijack();
  reply.raw.shouldKeepAlive = false;
  reply.raw.writeHead(status, { ...reply.getHeaders(), ...headers } as OutgoingHttpHeaders);
  reply.raw.write(body);
  drainRequest(request.raw, reply.raw);
  return reply;
}

/** Limits for reading the rest of a request whose answer is already written. */
export interface DrainLimits {
  /** Milliseconds in total. */
  readonly totalMs: number;
  /** Milliseconds without a byte. */
  readonly idleMs: number;
  readonly bytes: number;
}

const DRAIN_LIMITS: DrainLimits = { totalMs: 30_000, idleMs: 5_000, bytes: 256 * 1024 * 1024 };

/**
 * Reads and discards the rest of a request, within limits, then ends the response. Closing at once would reset the
 * connection of a client that reads only after it has sent everything, and the client would lose the answer
 * (docs/protocols.md, "PUT answers").
 */
export function drainRequest(req: IncomingMessage, res: ServerResponse, limits = DRAIN_LIMITS): void {
  if (req.complete || req.destroyed) {
    res.end();
    return;
  }
  let bytesLeft = limits.bytes;
  const close = () => res.socket?.destroySoon();
  const totalTimer = setTimeout(close, limits.totalMs);
  const idleTimer = setTimeout(close, limits.idleMs);
  req.on('data', (chunk: Buffer) => {
    idleTimer.refresh();
    bytesLeft -= chunk.length;
    if (bytesLeft < 0) close();
  });
  req.on('end', () => res.end());
  res.on('close', () => {
    clearTimeout(totalTimer);
    clearTimeout(idleTimer);
  });
  req.resume();
}
