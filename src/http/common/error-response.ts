import { STATUS_CODES } from 'node:http';
import { type ErrorCode, errorRow, Refusal } from '../../base/errors.ts';
import { randomId } from '../../base/ids.ts';
import type { Logger } from '../../base/log.ts';
import { CORS_HEADERS } from './cors.ts';

/** A whole answer, for whatever server writes it. */
export interface HttpResponse {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

export interface ErrorResponseContext {
  readonly log: Logger;
  /** ms since 1970. */
  readonly now: number;
  /** The request's `Accept`. */
  readonly accept?: string | undefined;
  /** Doors whose status for an error is another than the rest's (`errorTable`, `at`). */
  readonly endpoint?: 'external' | 'file_share' | 'messages' | 'rest' | undefined;
  /** Further members of the JSON form (RFC 9457 §3.2). */
  readonly problemMembers?: Readonly<Record<string, unknown>> | undefined;
}

/**
 * Every error that HTTP answers with: a refusal has its status and one line that a person can act on, as text or
 * `application/problem+json` (RFC 9457); all else is a fault of ours, whose story goes to the log under an id.
 */
export function errorResponse(error: unknown, context: ErrorResponseContext): HttpResponse {
  const refusal = error instanceof Refusal ? error : reportFault(error, context.log);
  const status = statusFor(refusal.code, context.endpoint);
  const asJson = acceptsJson(context.accept);
  const body = asJson ? problem(refusal, status, context.problemMembers) : `${refusal.message}\n`;
  return {
    status,
    headers: {
      ...CORS_HEADERS,
      'Content-Type': asJson ? 'application/problem+json' : 'text/plain; charset=utf-8',
      'Content-Length': String(Buffer.byteLength(body)),
      'X-Content-Type-Options': 'nosniff',
      ...retryAfter(refusal, context.now),
      ...challenge(status, context.endpoint),
    },
    body,
  };
}

/** Does a request ask for JSON by its `Accept`? */
export function acceptsJson(accept: string | undefined): boolean {
  return /\bapplication\/(?:problem\+)?json\b/i.test(accept ?? '');
}

/** Status of a refusal at a door. */
export function statusFor(code: ErrorCode, endpoint?: ErrorResponseContext['endpoint']): number {
  const row = errorRow(code);
  return (endpoint && row.at?.[endpoint]) ?? row.http;
}

function reportFault(error: unknown, log: Logger): Refusal {
  const fault = randomId().slice(0, 10);
  log.error({ err: error, fault }, 'internal error');
  return new Refusal('internal', {
    text: `Something went wrong here; the log has the story under ${fault}.`,
    cause: error,
  });
}

function problem(
  { code, message, condition }: Refusal,
  status: number,
  members: ErrorResponseContext['problemMembers'],
): string {
  const title = STATUS_CODES[status];
  return JSON.stringify({ type: 'about:blank', title, status, detail: message, code, condition, ...members });
}

/** RFC 9110 §11.6.1: a 401 says how to do better. */
function challenge(status: number, endpoint: ErrorResponseContext['endpoint']): Record<string, string> {
  return status === 401 && endpoint === 'file_share' ? { 'WWW-Authenticate': 'Bearer' } : {};
}

const SHORTLY = { 'Retry-After': '5' };

function retryAfter({ code, retryAt }: Refusal, now: number): Record<string, string> {
  if (retryAt !== undefined) return { 'Retry-After': String(Math.max(1, Math.ceil((retryAt - now) / 1000))) };
  return code === 'unavailable' ? SHORTLY : {};
}
