/** On every answer to anybody, errors included: a web client reads neither status nor text without them. */
export const CORS_HEADERS: Readonly<Record<string, string>> = {
  'Access-Control-Allow-Origin': '*',
  'Access-Control-Allow-Methods': 'OPTIONS, HEAD, GET, PUT',
  'Access-Control-Allow-Headers': 'Authorization, Content-Type, Range',
  'Access-Control-Expose-Headers': 'Content-Length, Content-Range, Content-Disposition',
};

/** The same as `writeHead` takes it fastest: name, value, name, value. */
export const CORS_HEADER_LIST: readonly string[] = Object.entries(CORS_HEADERS).flat();

/** Seconds for which a browser remembers a preflight's answer; none remembers longer than a day. */
const PREFLIGHT_AGE = 86_400;

/** As Metronome's share.php has it. */
const WITH_DELETE: Readonly<Record<string, string>> = {
  'Access-Control-Allow-Methods': 'OPTIONS, HEAD, GET, PUT, DELETE',
  'Access-Control-Allow-Headers': 'Authorization, Content-Type, Range, X-Requested-With',
};

/** Where messages are posted: over `CORS`, which speaks of files. */
export const MESSAGE_CORS_HEADERS: Readonly<Record<string, string>> = {
  'Access-Control-Allow-Methods': 'OPTIONS, POST',
  'Access-Control-Allow-Headers': 'Authorization, Content-Type, Accept, Idempotency-Key',
  'Access-Control-Expose-Headers': 'Retry-After, WWW-Authenticate',
};

/** Where stanzas are, in the same way. */
export const REST_CORS_HEADERS: Readonly<Record<string, string>> = {
  'Access-Control-Allow-Methods': 'OPTIONS, GET, POST',
  'Access-Control-Allow-Headers': 'Authorization, Content-Type, Accept, Prosody-Rest-Timeout',
  'Access-Control-Expose-Headers': 'Retry-After, WWW-Authenticate',
};

/** The answer to `OPTIONS`, preflight or not: needs no authorisation. */
export function optionsHeaders(allow: string): Record<string, string> {
  return {
    ...CORS_HEADERS,
    ...(allow.includes('DELETE') && WITH_DELETE),
    Allow: allow,
    'Access-Control-Max-Age': String(PREFLIGHT_AGE),
    'Content-Length': '0',
  };
}
