import { matchesAnySecret } from './hmac-signature.ts';

/** Claims of Prosody's mod_http_file_share for an upload that it has granted (docs/protocols.md, "Signed links: JWT"). */
export interface UploadTokenClaims {
  /** JID of the uploader, not validated. */
  readonly sub: string;
  readonly slot: string;
  readonly filename: string;
  /** Bytes. */
  readonly filesize: number;
  /** May be empty, may have parameters. */
  readonly filetype: string;
  /** The PUT must start before this time, milliseconds since 1970. */
  readonly exp: number;
  /** Time at which the file should be removed, milliseconds since 1970; null for no limit. */
  readonly expires: number | null;
}

/** `malformed`: not a JWT. `invalid`: not signed with HS256 and a configured secret, or missing claims. `expired`: `exp` is past. */
export type UploadTokenError = 'malformed' | 'invalid' | 'expired';

const COMPACT = /^([A-Za-z0-9_-]+)\.([A-Za-z0-9_-]+)\.([A-Za-z0-9_-]+)$/;

/**
 * Verifies a JWT (RFC 7519) of Prosody and returns its claims or the reason why it is not valid. `now` in milliseconds since
 * 1970. Synchronous, and without a JWT library: docs/decisions/0011-signed-links.md has the figures.
 */
export function verifyUploadToken(
  token: string,
  secrets: readonly string[],
  now: number,
): UploadTokenClaims | UploadTokenError {
  const [, header = '', payload = '', signature = ''] = COMPACT.exec(token) ?? [];
  const head = parseObject(header);
  const body = parseObject(payload);
  if (head === undefined || body === undefined) return 'malformed';
  // `crit` lists extensions that a verifier must understand (RFC 7515 §4.1.11).
  if (head.alg !== 'HS256' || head.crit !== undefined) return 'invalid';
  if (!matchesAnySecret(secrets, decodeMac(signature), [`${header}.${payload}`])) return 'invalid';
  const claims = toClaims(body);
  if (claims === undefined || now < (secondsToMs(body.nbf) ?? 0)) return 'invalid';
  return now < claims.exp ? claims : 'expired';
}

/** Returns the `sub` of an expired token. Its signature must be verified. */
export function subjectOfToken(token: string): string {
  const { sub } = parseObject(token.split('.')[1] ?? '') ?? {};
  return typeof sub === 'string' ? sub : '';
}

const SHA256_BYTES = 32;

type JwtObject = Readonly<Record<string, unknown>>;

function parseObject(part: string): JwtObject | undefined {
  try {
    const value: unknown = JSON.parse(Buffer.from(part, 'base64url').toString('utf8'));
    return typeof value === 'object' && value !== null && !Array.isArray(value)
      ? (value as JwtObject)
      : undefined;
  } catch {
    return undefined;
  }
}

function decodeMac(signature: string): Buffer | undefined {
  const mac = Buffer.from(signature, 'base64url');
  return mac.length === SHA256_BYTES ? mac : undefined;
}

function toClaims(body: JwtObject): UploadTokenClaims | undefined {
  const { sub, slot, filename, filesize, filetype = '' } = body;
  const exp = secondsToMs(body.exp);
  const expires = secondsToMs(body.expires);
  if (typeof sub !== 'string' || typeof slot !== 'string' || typeof filename !== 'string') return undefined;
  if (typeof filetype !== 'string' || !isSize(filesize) || exp === undefined) return undefined;
  if (expires === undefined && body.expires !== undefined && body.expires !== null) return undefined;
  return { sub, slot, filename, filesize, filetype, exp, expires: expires ?? null };
}

/** Lua may write `7168.0`, which `JSON.parse` reads as 7168. */
function isSize(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}

/** Converts seconds since 1970, with or without a fraction, to milliseconds. */
function secondsToMs(value: unknown): number | undefined {
  if (typeof value !== 'number' || value < 0) return undefined;
  const ms = Math.floor(value * 1000);
  return Number.isSafeInteger(ms) ? ms : undefined;
}
