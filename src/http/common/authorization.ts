import { Refusal } from '../../base/errors.ts';
import type { Credentials } from '../../messages/authenticate.ts';

const BEARER = /^bearer +(\S+) *$/i;
const BASIC = /^basic +([A-Za-z0-9+/_-]+={0,2}) *$/i;

/** The token of an `Authorization` header, whose scheme is in any case; undefined where it has none. */
export function parseBearerToken(authorization: string | undefined): string | undefined {
  return BEARER.exec(authorization ?? '')?.[1];
}

/**
 * Reads an `Authorization` header: Basic (RFC 7617) with a JID and its password in UTF-8, or Bearer (RFC 6750).
 * `missing`: there is none; `malformed`: another scheme, or not of its form.
 */
export function parseAuthorization(authorization: string | undefined): Credentials | 'missing' | 'malformed' {
  if (authorization === undefined || authorization.trim() === '') return 'missing';
  const token = parseBearerToken(authorization);
  if (token !== undefined) return { kind: 'bearer', token };
  const text = decode(BASIC.exec(authorization)?.[1]);
  const colon = text?.indexOf(':') ?? -1;
  if (text === undefined || colon < 0) return 'malformed';
  return { kind: 'basic', jid: text.slice(0, colon), password: text.slice(colon + 1) };
}

/** The same for doors that answer both faults alike. Refuses with `unauthorized`. */
export function requireCredentials(authorization: string | undefined): Credentials {
  const read = parseAuthorization(authorization);
  if (read === 'missing') {
    throw new Refusal('unauthorized', {
      text: 'Say who you are: Basic with a JID and its password, or a Bearer token.',
    });
  }
  if (read === 'malformed') {
    throw new Refusal('unauthorized', { text: 'The Authorization header is neither Basic nor Bearer.' });
  }
  return read;
}

/** RFC 9110 §11.6.1: what a 401 says of how to do better. */
export function authenticateChallenge(realm: string): string {
  return `Basic realm="${realm}", charset="UTF-8", Bearer realm="${realm}"`;
}

function decode(base64: string | undefined): string | undefined {
  if (base64 === undefined) return undefined;
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(Buffer.from(base64, 'base64'));
  } catch {
    return undefined;
  }
}
