import { type ErrorCode, Refusal } from '../base/errors.ts';
import type { Logger } from '../base/log.ts';
import { mayHaveArrived, type Posted } from '../messages/send.ts';
import { challenge } from './authorization.ts';
import { CORS, MESSAGE_CORS } from './cors.ts';
import { type Answer, answerTo, statusOf, wantsJson } from './reply.ts';

/** What became of a request, as plain data, so that it can be kept and told again. */
export interface MessageOutcome {
  readonly status: number;
  readonly messages: readonly ToldMessage[];
}

interface ToldMessage {
  readonly to: string;
  readonly id: string;
  readonly state: Posted['state'];
  readonly link?: string | undefined;
  readonly error?: {
    readonly code: ErrorCode;
    readonly text: string;
    readonly condition?: string | undefined;
  };
}

/** 201 only where all were sent, 202 where the rest waits; where any failed, the highest status of those. */
export function outcomeOf(posted: readonly Posted[]): MessageOutcome {
  const failed = posted.flatMap(({ refusal }) => (refusal ? [statusOf(refusal.code, 'messages')] : []));
  const good = posted.some(({ state }) => state === 'queued') ? 202 : 201;
  return { status: failed.length > 0 ? Math.max(...failed) : good, messages: posted.map(tell) };
}

/** A repetition must not send again what may have arrived. */
export function isFinal(posted: readonly Posted[]): boolean {
  return posted.some(mayHaveArrived);
}

function tell({ to, id, state, link, refusal }: Posted): ToldMessage {
  const error = refusal && { code: refusal.code, text: refusal.message, condition: refusal.condition };
  return { to, id, state, link, ...(error && { error }) };
}

export interface AnswerFacts {
  readonly log: Logger;
  /** ms since 1970. */
  readonly now: number;
  readonly accept: string | undefined;
  /** Of the challenge. */
  readonly realm: string;
}

/** Empty, or JSON where it is asked for; where something failed, who got it and who did not. */
export function answerOutcome({ status, messages }: MessageOutcome, facts: AnswerFacts): Answer {
  const worst = messages.find(({ error }) => error && statusOf(error.code, 'messages') === status)?.error;
  if (worst) {
    const text = messages.length === 1 ? worst.text : messages.map(lineOf).join('\n');
    const { code, condition } = worst;
    return answerRefusal(new Refusal(code, { text, ...(condition && { condition }) }), facts, { messages });
  }
  const asJson = wantsJson(facts.accept);
  const body = asJson ? `${JSON.stringify({ id: messages[0]?.id, messages })}\n` : '';
  const type = asJson ? { 'Content-Type': 'application/json; charset=utf-8' } : {};
  const headers = { ...CORS, ...MESSAGE_CORS, ...type, 'Content-Length': String(Buffer.byteLength(body)) };
  return { status, headers, body };
}

function lineOf({ to, state, link, error }: ToldMessage): string {
  return `${to}${link === undefined ? '' : ` (${link})`}: ${error?.text ?? state}`;
}

/** Where nothing was sent at all, or not by everybody. */
export function answerRefusal(
  error: unknown,
  { log, now, accept, realm }: AnswerFacts,
  members?: Readonly<Record<string, unknown>>,
): Answer {
  const answer = answerTo(error, { log, now, accept, door: 'messages', members });
  const asks = answer.status === 401 ? { 'WWW-Authenticate': challenge(realm) } : {};
  return { ...answer, headers: { ...answer.headers, ...MESSAGE_CORS, ...asks } };
}
