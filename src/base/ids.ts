import { createHash, randomBytes, timingSafeEqual } from 'node:crypto';

/** Crockford's 32: lower case only, so that ids survive case-folding file systems, and none looks like another. */
export const ALPHABET = '0123456789abcdefghjkmnpqrstvwxyz';

/** 130 random bits as 26 characters of `[0-9a-z]`: an upload's id, a PUT token, a claim. */
export function randomId(): string {
  let id = '';
  for (const byte of takeRandom(26)) id += ALPHABET[byte & 31];
  return id;
}

const POOL_BYTES = 26 * 128;
let pool = new Uint8Array();

/** Out of a pool: asking the system for a few bytes costs as much as asking it for thousands. */
function takeRandom(count: number): Uint8Array {
  if (pool.length < count) pool = randomBytes(POOL_BYTES);
  const taken = pool.subarray(0, count);
  pool = pool.subarray(count);
  return taken;
}

/** What the ledger keeps of a secret that it only has to recognise. */
export function sha256Hex(text: string | Uint8Array): string {
  return createHash('sha256').update(text).digest('hex');
}

/** Compares two secrets in a time that depends on neither. */
export function sameSecret(given: string, expected: string): boolean {
  const digest = (text: string) => createHash('sha256').update(text).digest();
  return timingSafeEqual(digest(given), digest(expected));
}
