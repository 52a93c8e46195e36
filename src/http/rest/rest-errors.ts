import xml from '@xmpp/xml';
import { type ErrorCode, errorRow, type Refusal } from '../../base/errors.ts';
import { firstMentioned } from '../common/accept.ts';
import type { HttpResponse } from '../common/error-response.ts';

/** Type and condition of errors that occur only over HTTP, as in mod_rest (docs/protocols.md, "mod_rest"). */
const HTTP_ERRORS: Readonly<Partial<Record<ErrorCode, readonly [type: string, condition: string]>>> = {
  unauthorized: ['auth', 'not-authorized'],
  credentials_wrong: ['auth', 'not-authorized'],
  sender_refused: ['auth', 'not-authorized'],
  recipient_refused: ['auth', 'not-authorized'],
  too_many_attempts: ['wait', 'policy-violation'],
  bad_request: ['modify', 'not-well-formed'],
  stanza_unfit: ['modify', 'bad-format'],
  media_type_unknown: ['cancel', 'bad-format'],
  message_too_large: ['modify', 'resource-constraint'],
};

const ERROR_TYPES = [
  'text/html',
  'text/plain',
  'application/xmpp+xml',
  'application/problem+json',
  'application/json',
] as const;
const STREAMS = 'urn:ietf:params:xml:ns:xmpp-streams';

/**
 * Returns a refusal in the type that `Accept` mentions first: JSON and XML as mod_rest sends them, otherwise `plain`, the
 * response of Porter's other endpoints.
 */
export function restErrorResponse(
  refusal: Refusal,
  plain: HttpResponse,
  accept: string | undefined,
): HttpResponse {
  const type = firstMentioned(ERROR_TYPES, accept ?? '');
  if (type === 'application/json') return withBody(plain, type, toErrorJson(refusal, plain.status));
  if (type === 'application/xmpp+xml') return withBody(plain, type, toErrorXml(refusal));
  return plain;
}

function toErrorJson(refusal: Refusal, code: number): string {
  const [type, condition] = stanzaErrorOf(refusal);
  return JSON.stringify({ type: 'error', error: { type, condition, text: refusal.message }, code });
}

function toErrorXml(refusal: Refusal): string {
  const [, condition] = stanzaErrorOf(refusal);
  return xml(
    'error',
    'http://etherx.jabber.org/streams',
    xml(condition, STREAMS),
    xml('text', STREAMS, refusal.message),
  ).toString();
}

function stanzaErrorOf({
  code,
  condition: ownCondition,
}: Refusal): readonly [type: string, condition: string] {
  const [type, condition] = HTTP_ERRORS[code] ?? errorRow(code).stanza ?? ['cancel', 'undefined-condition'];
  return [type, ownCondition ?? condition];
}

function withBody({ status, headers }: HttpResponse, type: string, body: string): HttpResponse {
  const length = String(Buffer.byteLength(body));
  return { status, headers: { ...headers, 'Content-Type': type, 'Content-Length': length }, body };
}
