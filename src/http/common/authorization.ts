import { Refusal } from '../../base/errors.ts';
import type { Credentials } from '../../messages/authenticate.ts';

const BEARER = /^bearer +(\S+) *$/i;
const BASIC = /^basic +([A-Za-z0-9+/_-]+={0,2}) *$/i;
const SCHEMES = 'Send Basic with a JID and its password, or a Bearer token.';

/** Returns the token of an `Authorization: Bearer` header (RFC 6750); undefined without one. */
export function parseBearerToken(authorization: string | undefined): string | undefined {
  return BEARER.exec(authorization ?? '')?.[1];
}

/**
 * Parses an `Authorization` header: Basic (RFC 7617) with a JID and its password in UTF-8, or Bearer (RFC 6750). Returns
 * `missing` without a header, and `malformed` for another scheme or a syntax error.
 */
export function parseAuthorization(authorization: string | undefined): Credentials | 'missing' | 'malformed' {
  if (authorization === undefined || authorization.trim() === '') return 'missing';
  const token = parseBearerToken(authorization);
  if (token !== undefined) return { kind: 'bearer', token };
  const text = decodeBase64(BASIC.exec(authorization)?.[1]);
  const colon = text?.indexOf(':') ?? -1;
  if (text === undefined || colon < 0) return 'malformed';
  return { kind: 'basic', jid: text.slice(0, colon), password: text.slice(colon + 1) };
}

/**
 * Parses an `Authorization` header. Throws `Refusal`: `unauthorized` without a header, `credentials_wrong` if it is malformed. The codes
 * differ because mod_rest, and so `/rest`, answers 401 to the first and 403 to the second.
 */
export function requireCredentials(authorization: string | undefined): Credentials {
  const credentials = parseAuthorization(authorization);
  if (credentials === 'missing')
    throw new Refusal('unauthorized', { text: `Credentials are missing. ${SCHEMES}` });
  if (credentials === 'malformed')
    throw new Refusal('credentials_wrong', { text: `The Authorization header is malformed. ${SCHEMES}` });
  return credentials;
}

/** Returns the value of `WWW-Authenticate` (RFC 9110 §11.6.1). */
export function authenticateChallenge(realm: string): string {
  return `Basic realm="${realm}", charset="UTF-8", Bearer realm="${realm}"`;
}

function decodeBase64(base64: string | undefined): string | undefined {
  if (base64 === undefined) return undefined;
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(Buffer.from(base64, 'base64'));
  } catch {
    return undefined;
  }
}
