import { isIPv6 } from 'node:net';
import type { Clock } from '../../base/clock.ts';
import { Refusal } from '../../base/errors.ts';
import { createAttemptCounter } from './attempt-counter.ts';

/** Who tries to log in, and as whom (bare JID). */
export interface LoginAttempt {
  readonly account: string;
  readonly address: string;
}

/** Slows the guessing of passwords. */
export interface LoginThrottle {
  /** Refuses with `too_many_attempts` where no password of this account is looked at from this address now. */
  assertNotLocked(tried: LoginAttempt): void;
  /** Does `login` when a try is left; `isGuess` says whether what it threw was a wrong password. Refuses as `admit`. */
  attempt<T>(tried: LoginAttempt, login: () => Promise<T>, isGuess: (fault: unknown) => boolean): Promise<T>;
}

const MINUTE = 60_000;
/** One person's mistakes: an old password in a script, say. */
const PAIR = { maxFailures: 5, decayMs: MINUTE };
/** Everybody who guesses at one account. */
const ACCOUNT = { maxFailures: 20, decayMs: MINUTE };
/** Everybody behind one address. */
const ADDRESS = { maxFailures: 30, decayMs: MINUTE / 4 };
const MAX_KEYS = 20_000;

/**
 * A wrong password counts against the account from this address, against the account from everywhere, and against the
 * address; a right one counts nothing. Where an account has logged in from an address before, only the first of the
 * three can stop it there: neither strangers who guess at the account from elsewhere nor neighbours behind the same
 * address lock its owner out. While something is locked no password is looked at, right or wrong.
 */
export function createLoginThrottle(clock: Clock): LoginThrottle {
  const pairs = createAttemptCounter(PAIR, MAX_KEYS);
  const accounts = createAttemptCounter(ACCOUNT, MAX_KEYS);
  const addresses = createAttemptCounter(ADDRESS, MAX_KEYS);
  const known = new Set<string>();
  let settled = Promise.withResolvers<void>();

  function keysOf({ account, address }: LoginAttempt) {
    const from = networkOf(address);
    const pair = `${from} ${account}`;
    const all = [
      [pairs, pair],
      [accounts, account],
      [addresses, from],
    ] as const;
    return { pair, all, guarding: known.has(pair) ? all.slice(0, 1) : all };
  }

  function admit(tried: LoginAttempt): void {
    const now = clock();
    const locks = keysOf(tried).guarding.map(([buckets, key]) => buckets.lockedUntil(key, now) ?? 0);
    const retryAt = Math.max(...locks);
    if (retryAt > 0) throw new Refusal('too_many_attempts', { retryAt });
  }

  /** Many right passwords at once are no guesses, but who knows before they are tried? They wait for each other. */
  async function beginTry(tried: LoginAttempt): Promise<void> {
    for (;;) {
      admit(tried);
      const now = clock();
      const { guarding, all } = keysOf(tried);
      if (!guarding.some(([buckets, key]) => buckets.isExhausted(key, now))) {
        for (const [buckets, key] of all) buckets.begin(key, now);
        return;
      }
      await settled.promise;
    }
  }

  function remember(pair: string): void {
    known.delete(pair);
    known.add(pair);
    const [oldest] = known;
    if (known.size > MAX_KEYS && oldest !== undefined) known.delete(oldest);
  }

  return {
    assertNotLocked: admit,
    async attempt(tried, login, isGuess) {
      await beginTry(tried);
      const { all, pair } = keysOf(tried);
      let failed = false;
      try {
        const result = await login();
        remember(pair);
        return result;
      } catch (fault) {
        failed = isGuess(fault);
        throw fault;
      } finally {
        for (const [buckets, key] of all) buckets.end(key, clock(), failed);
        settled.resolve();
        settled = Promise.withResolvers();
      }
    },
  };
}

/** IPv6 gives everybody a whole /64 to try from. */
function networkOf(address: string): string {
  const plain = address.replace(/^::ffff:(?=\d+\.)/i, '');
  if (!isIPv6(plain)) return plain;
  // What `::` stands for is as long as the rest leaves it.
  const [head = '', tail] = (plain.split('%')[0] ?? '').split('::');
  const groups = head === '' ? [] : head.split(':');
  const after = tail ? tail.split(':') : [];
  const zeros = tail === undefined ? 0 : 8 - groups.length - after.length;
  const whole = [...groups, ...Array<string>(Math.max(0, zeros)).fill('0'), ...after];
  const numbers = whole.slice(0, 4).map((group) => Number.parseInt(group, 16).toString(16));
  return `${numbers.join(':')}::/64`;
}
