import { STATUS_CODES } from 'node:http';
import type { FastifyError } from 'fastify';
import { formatDateTime } from '../../base/clock.ts';
import { type ErrorCode, errorRow, Refusal } from '../../base/errors.ts';
import { randomId } from '../../base/ids.ts';
import type { Logger } from '../../base/log.ts';
import { acceptsJson } from './accept.ts';
import { CORS_HEADERS } from './cors.ts';

/** A complete response, independent of the server that sends it. */
export interface HttpResponse {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

export interface ErrorResponseContext {
  readonly log: Logger;
  /** Milliseconds since 1970. */
  readonly now: number;
  /** `Accept` of the request. */
  readonly accept?: string | undefined;
  /** Selects the statuses of an endpoint that differ from the general ones (`errorTable`, `httpAt`). */
  readonly endpoint?: 'external' | 'file_share' | 'messages' | 'rest' | undefined;
  /** Additional members of the JSON form (RFC 9457 §3.2). */
  readonly problemMembers?: Readonly<Record<string, unknown>> | undefined;
}

/**
 * Returns the response for an error. A `Refusal` becomes its status and one line of text, or `application/problem+json`
 * (RFC 9457). Any other error is an internal error: it is logged under an id, and the client sees only the id.
 */
export function errorResponse(error: unknown, context: ErrorResponseContext): HttpResponse {
  const refusal = error instanceof Refusal ? error : logInternalError(error, context.log);
  const status = statusFor(refusal.code, context.endpoint);
  const asJson = acceptsJson(context.accept);
  const body = asJson ? problemJson(refusal, status, context.problemMembers) : `${refusal.message}\n`;
  return {
    status,
    headers: {
      ...CORS_HEADERS,
      'Content-Type': asJson ? 'application/problem+json' : 'text/plain; charset=utf-8',
      'Content-Length': String(Buffer.byteLength(body)),
      'X-Content-Type-Options': 'nosniff',
      ...retryAfterHeader(refusal, context.now),
      ...challengeHeader(status, context.endpoint),
    },
    body,
  };
}

/** Returns the HTTP status of an error code at an endpoint. */
export function statusFor(code: ErrorCode, endpoint?: ErrorResponseContext['endpoint']): number {
  const row = errorRow(code);
  return (endpoint && row.httpAt?.[endpoint]) ?? row.http;
}

function logInternalError(error: unknown, log: Logger): Refusal {
  const errorId = randomId().slice(0, 10);
  log.error({ err: error, errorId }, 'internal error');
  return new Refusal('internal', {
    text: `Internal error ${errorId}. The log of the server has details under this id.`,
    cause: error,
  });
}

function problemJson(
  { code, message, condition, retryAt: at, maxFileSize }: Refusal,
  status: number,
  members: ErrorResponseContext['problemMembers'],
): string {
  const title = STATUS_CODES[status];
  const retryAt = at === undefined ? undefined : formatDateTime(at);
  const details = { code, condition, retryAt, maxFileSize };
  return JSON.stringify({ type: 'about:blank', title, status, detail: message, ...details, ...members });
}

/** A 401 has a challenge (RFC 9110 §11.6.1). Other endpoints add their own. */
function challengeHeader(status: number, endpoint: ErrorResponseContext['endpoint']): Record<string, string> {
  return status === 401 && endpoint === 'file_share' ? { 'WWW-Authenticate': 'Bearer' } : {};
}

/** Seconds. For a store that is temporarily unavailable. */
const RETRY_SOON = { 'Retry-After': '5' };

function retryAfterHeader({ code, retryAt }: Refusal, now: number): Record<string, string> {
  if (retryAt !== undefined) return { 'Retry-After': String(Math.max(1, Math.ceil((retryAt - now) / 1000))) };
  return code === 'unavailable' ? RETRY_SOON : {};
}

const FASTIFY_ERROR_TEXTS: Readonly<Record<string, string>> = {
  FST_ERR_CTP_INVALID_MEDIA_TYPE: 'This Content-Type is not supported.',
  FST_ERR_BAD_URL: 'The path has an invalid percent-encoding.',
};

/** Converts client errors that Fastify reports. Returns undefined for all other errors. */
export function refusalOfFastify(error: unknown): Refusal | undefined {
  const { statusCode = 500, code = '' } = error as Partial<FastifyError>;
  if (statusCode >= 500 || error instanceof Refusal) return undefined;
  const text = FASTIFY_ERROR_TEXTS[code];
  return new Refusal('bad_request', { cause: error, ...(text !== undefined && { text }) });
}
