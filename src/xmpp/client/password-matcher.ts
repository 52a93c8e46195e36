import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto';

/** Says whether a password is the one that it was made with, which it does not keep. */
export type PasswordMatcher = (given: string) => boolean;

/**
 * A fast keyed hash, not a slow one: it lives in memory only, beside the requests that bring the password itself, and a
 * slow one would cost every request what logging in costs. The key is of this lock alone.
 */
export function createPasswordMatcher(password: string): PasswordMatcher {
  const key = randomBytes(32);
  const digestOf = (text: string) => createHmac('sha256', key).update(text).digest();
  const expected = digestOf(password);
  return (given) => timingSafeEqual(digestOf(given), expected);
}
