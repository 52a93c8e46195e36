import { type ErrorCode, Refusal } from '../../base/errors.ts';
import type { Logger } from '../../base/log.ts';
import { type MessageResult, mayHaveArrived } from '../../messages/send-messages.ts';
import { acceptsJson } from '../common/accept.ts';
import { authenticateChallenge } from '../common/authorization.ts';
import { CORS_HEADERS, MESSAGE_CORS_HEADERS } from '../common/cors.ts';
import { errorResponse, type HttpResponse, statusFor } from '../common/error-response.ts';

/** The result of a request as plain data. It is stored with its idempotency key and returned to repetitions. */
export interface MessageOutcome {
  readonly status: number;
  readonly messages: readonly MessageReport[];
}

interface MessageReport {
  readonly to: string;
  readonly id: string;
  readonly state: MessageResult['state'];
  readonly link?: string | undefined;
  readonly error?: {
    readonly code: ErrorCode;
    readonly text: string;
    readonly condition?: string | undefined;
  };
}

/** Returns status 201 if all messages were sent, 202 if some are queued, or the highest status of those that failed. */
export function toMessageOutcome(results: readonly MessageResult[]): MessageOutcome {
  const failed = results.flatMap(({ refusal }) => (refusal ? [statusFor(refusal.code, 'messages')] : []));
  const success = results.some(({ state }) => state === 'queued') ? 202 : 201;
  return { status: failed.length > 0 ? Math.max(...failed) : success, messages: results.map(toReport) };
}

/** Returns whether a repetition must not send again, because a message may have arrived. */
export function mustNotRepeat(results: readonly MessageResult[]): boolean {
  return results.some(mayHaveArrived);
}

function toReport({ to, id, state, fileUrl, refusal }: MessageResult): MessageReport {
  const error = refusal && { code: refusal.code, text: refusal.message, condition: refusal.condition };
  return { to, id, state, link: fileUrl, ...(error && { error }) };
}

export interface MessageResponseContext {
  readonly log: Logger;
  /** Milliseconds since 1970. */
  readonly now: number;
  readonly accept: string | undefined;
  /** Realm of the challenge. */
  readonly realm: string;
}

/**
 * Returns an empty response, or JSON if the client accepts it. If a message failed, the response is the error with the state
 * of every message.
 */
export function outcomeResponse(
  { status, messages }: MessageOutcome,
  context: MessageResponseContext,
): HttpResponse {
  const worst = messages.find(({ error }) => error && statusFor(error.code, 'messages') === status)?.error;
  if (worst) {
    const text = messages.length === 1 ? worst.text : messages.map(formatReport).join('\n');
    const { code, condition } = worst;
    return refusalResponse(new Refusal(code, { text, ...(condition && { condition }) }), context, {
      messages,
    });
  }
  const asJson = acceptsJson(context.accept);
  const body = asJson ? `${JSON.stringify({ id: messages[0]?.id, messages })}\n` : '';
  const type = asJson ? { 'Content-Type': 'application/json; charset=utf-8' } : {};
  const headers = {
    ...CORS_HEADERS,
    ...MESSAGE_CORS_HEADERS,
    ...type,
    'Content-Length': String(Buffer.byteLength(body)),
  };
  return { status, headers, body };
}

function formatReport({ to, state, link, error }: MessageReport): string {
  return `${to}${link === undefined ? '' : ` (${link})`}: ${error?.text ?? state}`;
}

/** Returns the response for a refusal, with a challenge for 401. */
export function refusalResponse(
  error: unknown,
  { log, now, accept, realm }: MessageResponseContext,
  problemMembers?: Readonly<Record<string, unknown>>,
): HttpResponse {
  const answer = errorResponse(error, { log, now, accept, endpoint: 'messages', problemMembers });
  const challenge = answer.status === 401 ? { 'WWW-Authenticate': authenticateChallenge(realm) } : {};
  return { ...answer, headers: { ...answer.headers, ...MESSAGE_CORS_HEADERS, ...challenge } };
}
