import { createHash, hash, randomBytes, timingSafeEqual } from 'node:crypto';

/** Crockford's Base32 in lower case: safe on file systems that fold case, and without characters that look alike. */
export const ID_ALPHABET = '0123456789abcdefghjkmnpqrstvwxyz';

/** Returns 130 random bits as 26 characters of `[0-9a-z]`, for claims, secrets and process ids. */
export function randomId(): string {
  return randomText(26);
}

const ALPHABET_CODES = Buffer.from(ID_ALPHABET, 'latin1');
/** Holds the characters of one id while it is created. Joining them one by one would create a string for each. */
const characters = Buffer.alloc(32);

function randomText(length: number): string {
  const from = takeRandom(length);
  for (let i = 0; i < length; i += 1) {
    characters[i] = ALPHABET_CODES[(pool[from + i] as number) & 31] as number;
  }
  return characters.toString('latin1', 0, length);
}

/** Characters of the time prefix in seconds; enough for a thousand years. */
const TIME_PREFIX_LENGTH = 7;

/**
 * Returns an id of 26 characters for uploads and PUT tokens: the second of `now` (ms since 1970), then 95 random bits.
 * New rows are neighbours in an index, so the cost of a slot does not grow with the number of rows.
 */
export function timeOrderedId(now: number): string {
  return idTimePrefix(now) + randomText(26 - TIME_PREFIX_LENGTH);
}

/** Returns the prefix of all time-ordered ids of the second of `now` (ms since 1970). */
export function idTimePrefix(now: number): string {
  let text = '';
  for (
    let left = Math.floor(now / 1000), i = 0;
    i < TIME_PREFIX_LENGTH;
    i += 1, left = Math.floor(left / 32)
  ) {
    text = ID_ALPHABET[left % 32] + text;
  }
  return text;
}

/** Returns the form in which the ledger stores a PUT token: its time prefix, which keeps the index ordered, and its hash. */
export function toPutKey(token: string): string {
  return token.slice(0, TIME_PREFIX_LENGTH) + sha256Hex(token);
}

const POOL_BYTES = 26 * 128;
let pool = new Uint8Array();
let poolUsed = 0;

/**
 * Takes random bytes from the pool and returns the index of the first one. The pool exists because a system call for a few bytes costs
 * as much as one for thousands.
 */
function takeRandom(count: number): number {
  if (pool.length < poolUsed + count) {
    pool = randomBytes(POOL_BYTES);
    poolUsed = 0;
  }
  const from = poolUsed;
  poolUsed += count;
  return from;
}

/** Returns the SHA-256 in hex. The ledger stores secrets in this form if it only compares them. */
export function sha256Hex(text: string | Uint8Array): string {
  return hash('sha256', text, 'hex');
}

/** Compares two secrets in constant time. */
export function secretsEqual(given: string, expected: string): boolean {
  const digest = (text: string) => createHash('sha256').update(text).digest();
  return digestsEqual(digest(given), digest(expected));
}

/**
 * Compares two digests or MACs. The time depends on their lengths, which are public, and not on their bytes. Every comparison
 * of a secret uses this function or `secretsEqual`.
 */
export function digestsEqual(given: Uint8Array, expected: Uint8Array): boolean {
  return given.length === expected.length && timingSafeEqual(given, expected);
}
