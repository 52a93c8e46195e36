import { createHmac, randomBytes } from 'node:crypto';
import { digestsEqual } from '../../base/ids.ts';

/** Returns true for the password that it was created with. Keeps a keyed hash instead of the password. */
export type PasswordMatcher = (candidate: string) => boolean;

/**
 * Uses a fast keyed hash on purpose. The hash exists only in memory, beside requests that carry the password itself; a
 * slow hash would make each request as expensive as a login. Each matcher has a random key.
 */
export function createPasswordMatcher(password: string): PasswordMatcher {
  const key = randomBytes(32);
  const hash = (text: string) => createHmac('sha256', key).update(text).digest();
  const expected = hash(password);
  return (candidate) => digestsEqual(hash(candidate), expected);
}
