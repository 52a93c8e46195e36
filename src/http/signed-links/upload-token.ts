import { createHmac, timingSafeEqual } from 'node:crypto';

/** What Prosody's mod_http_file_share says of an upload that it has granted (FIELD 5.1). */
export interface UploadTokenClaims {
  /** Who uploads: a JID, not yet looked at. */
  readonly sub: string;
  readonly slot: string;
  readonly filename: string;
  /** Bytes. */
  readonly filesize: number;
  /** May be empty, may have parameters. */
  readonly filetype: string;
  /** The PUT must start before it, ms since 1970. */
  readonly exp: number;
  /** When the file should go, ms since 1970; null = never. */
  readonly expires: number | null;
}

/** `malformed`: no JWT at all; `invalid`: not signed by HS256 with a secret of ours, or not of this kind; `expired`. */
export type UploadTokenError = 'malformed' | 'invalid' | 'expired';

const COMPACT = /^([A-Za-z0-9_-]+)\.([A-Za-z0-9_-]+)\.([A-Za-z0-9_-]+)$/;

/** Reads a JWT (RFC 7519) as Prosody makes them, or says what is wrong with it. `now` in ms since 1970. */
export function verifyUploadToken(
  token: string,
  secrets: readonly string[],
  now: number,
): UploadTokenClaims | UploadTokenError {
  const [, header = '', payload = '', signature = ''] = COMPACT.exec(token) ?? [];
  const head = readObject(header);
  const body = readObject(payload);
  if (head === undefined || body === undefined) return 'malformed';
  // RFC 7515 §4.1.11: what must be understood and is not.
  if (head.alg !== 'HS256' || head.crit !== undefined) return 'invalid';
  if (!isSigned(secrets, `${header}.${payload}`, signature)) return 'invalid';
  const claims = readClaims(body);
  if (claims === undefined || now < (seconds(body.nbf) ?? 0)) return 'invalid';
  return now < claims.exp ? claims : 'expired';
}

type Json = Readonly<Record<string, unknown>>;

function readObject(part: string): Json | undefined {
  try {
    const value: unknown = JSON.parse(Buffer.from(part, 'base64url').toString('utf8'));
    return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Json) : undefined;
  } catch {
    return undefined;
  }
}

function isSigned(secrets: readonly string[], text: string, signature: string): boolean {
  const given = Buffer.from(signature, 'base64url');
  let fits = false;
  for (const secret of secrets) {
    const expected = createHmac('sha256', secret).update(text).digest();
    if (given.length === expected.length && timingSafeEqual(given, expected)) fits = true;
  }
  return fits;
}

function readClaims(body: Json): UploadTokenClaims | undefined {
  const { sub, slot, filename, filesize, filetype = '' } = body;
  const exp = seconds(body.exp);
  const expires = seconds(body.expires);
  if (typeof sub !== 'string' || typeof slot !== 'string' || typeof filename !== 'string') return undefined;
  if (typeof filetype !== 'string' || !isSize(filesize) || exp === undefined) return undefined;
  if (expires === undefined && body.expires !== undefined && body.expires !== null) return undefined;
  return { sub, slot, filename, filesize, filetype, exp, expires: expires ?? null };
}

/** Lua writes whole numbers as `7168.0` too, which JSON knows to be the same. */
function isSize(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}

/** Seconds since 1970, with or without a fraction, as ms. */
function seconds(value: unknown): number | undefined {
  if (typeof value !== 'number' || value < 0) return undefined;
  const ms = Math.floor(value * 1000);
  return Number.isSafeInteger(ms) ? ms : undefined;
}
