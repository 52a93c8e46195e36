import type { IncomingMessage } from 'node:http';
import type { FastifyInstance } from 'fastify';
import { Refusal } from '../../base/errors.ts';
import type { MemoryBudget } from '../../uploads/upload-request.ts';
import type { AddressMatcher } from './client-info.ts';
import { RequestBody } from './request-body.ts';

/** Settings of an endpoint with bodies that a reload may change. */
export interface EndpointSettings {
  /** `trusted_proxies`. */
  readonly trustedProxies: AddressMatcher;
  /** `uploads.idle_timeout`: milliseconds without a byte after which a body fails. */
  readonly idleTimeoutMs: number;
}

export interface ReadBodyOptions {
  readonly maxBytes: number;
  /** Milliseconds without a byte. */
  readonly idleTimeoutMs: number;
  /** Milliseconds for the whole body; default `BODY_TIMEOUT_MS`. */
  readonly totalTimeoutMs?: number;
  readonly memoryBudget: MemoryBudget;
  /** Names the content in the error text, for example "message". */
  readonly content: string;
}

/** A body that is not a file must arrive within this time. */
export const BODY_TIMEOUT_MS = 60_000;

/**
 * Reads a whole body into memory. Throws `Refusal`: `message_too_large` as soon as it exceeds `maxBytes`, `body_idle` or
 * `body_slow` after a timeout, `body_cut` if the client disconnects.
 */
export async function readBody(
  req: IncomingMessage,
  { maxBytes, idleTimeoutMs, totalTimeoutMs = BODY_TIMEOUT_MS, memoryBudget, content }: ReadBodyOptions,
): Promise<Buffer> {
  const tooLarge = () =>
    new Refusal('message_too_large', { text: `The ${content} is too long: at most ${maxBytes} bytes.` });
  if (Number(req.headers['content-length'] ?? 0) > maxBytes) throw tooLarge();
  const body = new RequestBody(req, { idleTimeoutMs, totalTimeoutMs });
  const chunks: Buffer[] = [];
  const check = (size: number) => (size > maxBytes ? tooLarge() : undefined);
  for await (const batch of body.batches(memoryBudget, check)) {
    // Copied, because the memory of a batch is freed when the next one is requested.
    for (const chunk of batch) chunks.push(Buffer.from(chunk));
  }
  return Buffer.concat(chunks);
}

/** Returns whether a request has a body (RFC 9112 §6.3): a chunked one, or one with a `Content-Length` above 0. */
export function hasBody({ headers }: IncomingMessage): boolean {
  return headers['transfer-encoding'] !== undefined || Number(headers['content-length'] ?? 0) > 0;
}

/** Stops Fastify from reading bodies: a handler reads them with `readBody`, after it has authorised the client. */
export function disableBodyParsing(app: FastifyInstance): void {
  app.removeAllContentTypeParsers();
  app.addContentTypeParser('*', (_request, _payload, done) => done(null));
}

/** Decodes a body whose charset is UTF-8. Throws `Refusal` (`bad_request`). */
export function decodeUtf8(bytes: Uint8Array): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch (cause) {
    throw new Refusal('bad_request', { text: 'The body is not valid UTF-8.', cause });
  }
}

/** Parses the JSON of a body. Throws `Refusal` (`bad_request`). */
export function parseJsonText(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new Refusal('bad_request', { text: 'The body is not valid JSON.', cause });
  }
}
