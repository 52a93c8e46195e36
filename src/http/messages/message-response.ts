import { type ErrorCode, Refusal } from '../../base/errors.ts';
import type { Logger } from '../../base/log.ts';
import { type MessageResult, mayHaveArrived } from '../../messages/send-messages.ts';
import { authenticateChallenge } from '../common/authorization.ts';
import { CORS_HEADERS, MESSAGE_CORS_HEADERS } from '../common/cors.ts';
import { acceptsJson, errorResponse, type HttpResponse, statusFor } from '../common/error-response.ts';

/** What became of a request, as plain data, so that it can be kept and told again. */
export interface MessageOutcome {
  readonly status: number;
  readonly messages: readonly ToldMessage[];
}

interface ToldMessage {
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

/** 201 only where all were sent, 202 where the rest waits; where any failed, the highest status of those. */
export function toMessageOutcome(posted: readonly MessageResult[]): MessageOutcome {
  const failed = posted.flatMap(({ refusal }) => (refusal ? [statusFor(refusal.code, 'messages')] : []));
  const good = posted.some(({ state }) => state === 'queued') ? 202 : 201;
  return { status: failed.length > 0 ? Math.max(...failed) : good, messages: posted.map(tell) };
}

/** A repetition must not send again what may have arrived. */
export function mustNotRepeat(posted: readonly MessageResult[]): boolean {
  return posted.some(mayHaveArrived);
}

function tell({ to, id, state, fileUrl, refusal }: MessageResult): ToldMessage {
  const error = refusal && { code: refusal.code, text: refusal.message, condition: refusal.condition };
  return { to, id, state, link: fileUrl, ...(error && { error }) };
}

export interface MessageResponseContext {
  readonly log: Logger;
  /** ms since 1970. */
  readonly now: number;
  readonly accept: string | undefined;
  /** Of the challenge. */
  readonly realm: string;
}

/** Empty, or JSON where it is asked for; where something failed, who got it and who did not. */
export function outcomeResponse(
  { status, messages }: MessageOutcome,
  facts: MessageResponseContext,
): HttpResponse {
  const worst = messages.find(({ error }) => error && statusFor(error.code, 'messages') === status)?.error;
  if (worst) {
    const text = messages.length === 1 ? worst.text : messages.map(lineOf).join('\n');
    const { code, condition } = worst;
    return refusalResponse(new Refusal(code, { text, ...(condition && { condition }) }), facts, { messages });
  }
  const asJson = acceptsJson(facts.accept);
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

function lineOf({ to, state, link, error }: ToldMessage): string {
  return `${to}${link === undefined ? '' : ` (${link})`}: ${error?.text ?? state}`;
}

/** Where nothing was sent at all, or not by everybody. */
export function refusalResponse(
  error: unknown,
  { log, now, accept, realm }: MessageResponseContext,
  problemMembers?: Readonly<Record<string, unknown>>,
): HttpResponse {
  const answer = errorResponse(error, { log, now, accept, endpoint: 'messages', problemMembers });
  const asks = answer.status === 401 ? { 'WWW-Authenticate': authenticateChallenge(realm) } : {};
  return { ...answer, headers: { ...answer.headers, ...MESSAGE_CORS_HEADERS, ...asks } };
}
