import { createHash, randomBytes, timingSafeEqual } from 'node:crypto';

/** Crockford's 32: lower case only, so that ids survive case-folding file systems, and none looks like another. */
export const ID_ALPHABET = '0123456789abcdefghjkmnpqrstvwxyz';

/** 130 random bits as 26 characters of `[0-9a-z]`: a claim, a secret, the name of a process. */
export function randomId(): string {
  return randomText(26);
}

function randomText(length: number): string {
  let text = '';
  for (const byte of takeRandom(length)) text += ID_ALPHABET[byte & 31];
  return text;
}

/** Characters that say the second, for a thousand years. */
const DATED = 7;

/**
 * The same length, the second of `now` (ms since 1970) in front of 95 random bits: an upload's id, a PUT token. Indexes keep
 * together what came together, so that a slot costs the same however many there were before it.
 */
export function timeOrderedId(now: number): string {
  return idTimePrefix(now) + randomText(26 - DATED);
}

/** The second of a moment (ms since 1970), as all such ids begin. */
export function idTimePrefix(now: number): string {
  let text = '';
  for (let left = Math.floor(now / 1000), i = 0; i < DATED; i += 1, left = Math.floor(left / 32)) {
    text = ID_ALPHABET[left % 32] + text;
  }
  return text;
}

/** What the ledger keeps of a PUT token: when it was made, which tells where it lies in the index, and a hash of it all. */
export function toPutKey(token: string): string {
  return token.slice(0, DATED) + sha256Hex(token);
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
export function secretsEqual(given: string, expected: string): boolean {
  const digest = (text: string) => createHash('sha256').update(text).digest();
  return timingSafeEqual(digest(given), digest(expected));
}
