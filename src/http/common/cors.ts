import type { IncomingMessage } from 'node:http';

/** Sent with every answer, errors included: without them a web client can read neither status nor text. */
export const CORS_HEADERS: Readonly<Record<string, string>> = {
  'Access-Control-Allow-Origin': '*',
  'Access-Control-Allow-Methods': 'OPTIONS, HEAD, GET, PUT',
  'Access-Control-Allow-Headers': 'Authorization, Content-Type, Range',
  'Access-Control-Expose-Headers': 'Content-Length, Content-Range, Content-Disposition',
};

/** `CORS_HEADERS` as name, value, name, value: the fastest form for `writeHead`. */
export const CORS_HEADER_LIST: readonly string[] = Object.entries(CORS_HEADERS).flat();

/** Browsers cache the answer to a preflight for at most one day. */
const PREFLIGHT_MAX_AGE_SECONDS = 86_400;

/** Replaces entries of `CORS_HEADERS` if DELETE is allowed, as Metronome's share.php does (docs/protocols.md, "Metronome"). */
const DELETE_CORS_HEADERS: Readonly<Record<string, string>> = {
  'Access-Control-Allow-Methods': 'OPTIONS, HEAD, GET, PUT, DELETE',
  'Access-Control-Allow-Headers': 'Authorization, Content-Type, Range, X-Requested-With',
};

/** Replaces entries of `CORS_HEADERS` at the endpoints for messages. */
export const MESSAGE_CORS_HEADERS: Readonly<Record<string, string>> = {
  'Access-Control-Allow-Methods': 'OPTIONS, POST',
  'Access-Control-Allow-Headers': 'Authorization, Content-Type, Accept, Idempotency-Key',
  'Access-Control-Expose-Headers': 'Retry-After, WWW-Authenticate',
};

/** Replaces entries of `CORS_HEADERS` at `/rest`. */
export const REST_CORS_HEADERS: Readonly<Record<string, string>> = {
  'Access-Control-Allow-Methods': 'OPTIONS, GET, POST',
  'Access-Control-Allow-Headers': 'Authorization, Content-Type, Accept, Prosody-Rest-Timeout',
  'Access-Control-Expose-Headers': 'Retry-After, WWW-Authenticate',
};

/**
 * Returns the headers of an answer to `OPTIONS`, preflight or not. `OPTIONS` needs no authorization. If the browser asks for it
 * (Private Network Access, WICG), a page of a public site is allowed to reach a Porter in a private network.
 */
export function optionsHeaders(allow: string, request: IncomingMessage): Record<string, string> {
  return {
    ...CORS_HEADERS,
    ...(allow.includes('DELETE') && DELETE_CORS_HEADERS),
    ...(asksForPrivateNetwork(request) && { 'Access-Control-Allow-Private-Network': 'true' }),
    Allow: allow,
    'Access-Control-Max-Age': String(PREFLIGHT_MAX_AGE_SECONDS),
    'Content-Length': '0',
  };
}

function asksForPrivateNetwork({ headers }: IncomingMessage): boolean {
  return headers['access-control-request-private-network'] === 'true';
}
