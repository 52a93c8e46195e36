import { STATUS_CODES } from 'node:http';
import { type ErrorCode, errorRow, Refusal } from '../base/errors.ts';
import { randomId } from '../base/ids.ts';
import type { Logger } from '../base/log.ts';
import { CORS } from './cors.ts';

/** A whole answer, for whatever server writes it. */
export interface Answer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

export interface AnswerContext {
  readonly log: Logger;
  /** ms since 1970. */
  readonly now: number;
  /** The request's `Accept`. */
  readonly accept?: string | undefined;
  /** Doors whose status for an error is another than the rest's (`errorTable`, `at`). */
  readonly door?: 'external' | 'file_share' | 'messages' | 'rest' | undefined;
  /** Further members of the JSON form (RFC 9457 §3.2). */
  readonly members?: Readonly<Record<string, unknown>> | undefined;
}

/**
 * Every error that HTTP answers with: a refusal has its status and one line that a person can act on, as text or
 * `application/problem+json` (RFC 9457); all else is a fault of ours, whose story goes to the log under an id.
 */
export function answerTo(error: unknown, context: AnswerContext): Answer {
  const refusal = error instanceof Refusal ? error : reportFault(error, context.log);
  const status = statusOf(refusal.code, context.door);
  const asJson = wantsJson(context.accept);
  const body = asJson ? problem(refusal, status, context.members) : `${refusal.message}\n`;
  return {
    status,
    headers: {
      ...CORS,
      'Content-Type': asJson ? 'application/problem+json' : 'text/plain; charset=utf-8',
      'Content-Length': String(Buffer.byteLength(body)),
      'X-Content-Type-Options': 'nosniff',
      ...retryAfter(refusal, context.now),
      ...challenge(status, context.door),
    },
    body,
  };
}

/** Does a request ask for JSON by its `Accept`? */
export function wantsJson(accept: string | undefined): boolean {
  return /\bapplication\/(?:problem\+)?json\b/i.test(accept ?? '');
}

/** Status of a refusal at a door. */
export function statusOf(code: ErrorCode, door?: AnswerContext['door']): number {
  const row = errorRow(code);
  return (door && row.at?.[door]) ?? row.http;
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
  members: AnswerContext['members'],
): string {
  const title = STATUS_CODES[status];
  return JSON.stringify({ type: 'about:blank', title, status, detail: message, code, condition, ...members });
}

/** RFC 9110 §11.6.1: a 401 says how to do better. */
function challenge(status: number, door: AnswerContext['door']): Record<string, string> {
  return status === 401 && door === 'file_share' ? { 'WWW-Authenticate': 'Bearer' } : {};
}

const SHORTLY = { 'Retry-After': '5' };

function retryAfter({ code, retryAt }: Refusal, now: number): Record<string, string> {
  if (retryAt !== undefined) return { 'Retry-After': String(Math.max(1, Math.ceil((retryAt - now) / 1000))) };
  return code === 'unavailable' ? SHORTLY : {};
}
