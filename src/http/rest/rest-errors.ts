import xml from '@xmpp/xml';
import { type ErrorCode, errorRow, type Refusal } from '../../base/errors.ts';
import type { HttpResponse } from '../common/error-response.ts';
import { firstMentioned } from './stanza-response.ts';

/** Type and condition of what no stanza can meet, as mod_rest says it (FIELD 4.4). */
const SAID: Readonly<Partial<Record<ErrorCode, readonly [type: string, condition: string]>>> = {
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

const FORMS = [
  'text/html',
  'text/plain',
  'application/xmpp+xml',
  'application/problem+json',
  'application/json',
] as const;
const STREAMS = 'urn:ietf:params:xml:ns:xmpp-streams';

/**
 * A refusal in the form that `Accept` names first: JSON and XML as mod_rest has them; `plain`, which is how errors
 * look everywhere else in Porter, for all others.
 */
export function restErrorResponse(
  refusal: Refusal,
  plain: HttpResponse,
  accept: string | undefined,
): HttpResponse {
  const form = firstMentioned(FORMS, accept ?? '');
  if (form === 'application/json') return written(plain, form, asJson(refusal, plain.status));
  if (form === 'application/xmpp+xml') return written(plain, form, asXml(refusal));
  return plain;
}

function asJson(refusal: Refusal, code: number): string {
  const [type, condition] = saidOf(refusal);
  return JSON.stringify({ type: 'error', error: { type, condition, text: refusal.message }, code });
}

function asXml(refusal: Refusal): string {
  const [, condition] = saidOf(refusal);
  return xml(
    'error',
    'http://etherx.jabber.org/streams',
    xml(condition, STREAMS),
    xml('text', STREAMS, refusal.message),
  ).toString();
}

function saidOf({ code, condition: known }: Refusal): readonly [type: string, condition: string] {
  const [type, condition] = SAID[code] ?? errorRow(code).stanza ?? ['cancel', 'undefined-condition'];
  return [type, known ?? condition];
}

function written({ status, headers }: HttpResponse, type: string, body: string): HttpResponse {
  const length = String(Buffer.byteLength(body));
  return { status, headers: { ...headers, 'Content-Type': type, 'Content-Length': length }, body };
}
