import { LRUCache } from 'lru-cache';
import { networkOf } from '../../base/addresses.ts';
import type { Clock } from '../../base/clock.ts';
import { Refusal } from '../../base/errors.ts';
import { AttemptCounter } from './attempt-counter.ts';

export interface LoginAttempt {
  /** Key of the account (`looseJidKey`), so that another spelling gets no further guesses. */
  readonly account: string;
  /** IP address of the client. */
  readonly address: string;
}

/** Limits password guessing. */
export interface LoginThrottle {
  /** Throws the refusal `too_many_attempts` if this account may not log in from this address now. */
  assertNotLocked(attempt: LoginAttempt): void;
  /**
   * Runs `login` once fewer attempts are in progress than failures are allowed. `isWrongPassword` tells whether its error
   * counts as a failure. Throws the refusal of `assertNotLocked`.
   */
  attempt<T>(
    attempt: LoginAttempt,
    login: () => Promise<T>,
    isWrongPassword: (error: unknown) => boolean,
  ): Promise<T>;
}

const MINUTE_MS = 60_000;
/** One account from one address, for example a script with an old password. */
const PAIR_LIMIT = { maxFailures: 5, decayMs: MINUTE_MS };
/** One account from all addresses. */
const ACCOUNT_LIMIT = { maxFailures: 20, decayMs: MINUTE_MS };
/** All accounts from one address. */
const ADDRESS_LIMIT = { maxFailures: 30, decayMs: MINUTE_MS / 4 };
const MAX_KEYS = 20_000;

/**
 * A wrong password counts three times: for the account from this address, for the account, and for the address. After a
 * successful login from an address, only the first count can lock the account there: the owner is not locked out by
 * guesses from elsewhere or by other users behind the same address. While a login is locked, its password is not
 * checked, so a guesser does not learn whether it is right.
 */
export function createLoginThrottle(clock: Clock): LoginThrottle {
  const pairs = new AttemptCounter(PAIR_LIMIT, MAX_KEYS);
  const accounts = new AttemptCounter(ACCOUNT_LIMIT, MAX_KEYS);
  const addresses = new AttemptCounter(ADDRESS_LIMIT, MAX_KEYS);
  /** Pairs of address and account with a successful login. */
  const trustedPairs = new LRUCache<string, true>({ max: MAX_KEYS });
  let anAttemptEnded = Promise.withResolvers<void>();

  function countersFor({ account, address }: LoginAttempt) {
    const network = networkOf(address);
    const pair = `${network} ${account}`;
    const counted = [
      [pairs, pair],
      [accounts, account],
      [addresses, network],
    ] as const;
    return { pair, counted, limiting: trustedPairs.has(pair) ? counted.slice(0, 1) : counted };
  }

  function assertNotLocked(attempt: LoginAttempt): void {
    const now = clock();
    const { limiting } = countersFor(attempt);
    const retryAt = Math.max(...limiting.map(([counter, key]) => counter.lockedUntil(key, now) ?? 0));
    if (retryAt > 0) throw new Refusal('too_many_attempts', { retryAt });
  }

  /**
   * Begins an attempt. While the attempts in progress would reach the limit if all of them failed, further ones wait, also those
   * with the right password.
   */
  async function reserve(attempt: LoginAttempt): Promise<void> {
    for (;;) {
      assertNotLocked(attempt);
      const now = clock();
      const { limiting, counted } = countersFor(attempt);
      if (!limiting.some(([counter, key]) => counter.isExhausted(key, now))) {
        for (const [counter, key] of counted) counter.begin(key);
        return;
      }
      await anAttemptEnded.promise;
    }
  }

  return {
    assertNotLocked,
    async attempt(attempt, login, isWrongPassword) {
      await reserve(attempt);
      const { counted, pair } = countersFor(attempt);
      let failed = false;
      try {
        const result = await login();
        trustedPairs.set(pair, true);
        return result;
      } catch (error) {
        failed = isWrongPassword(error);
        throw error;
      } finally {
        for (const [counter, key] of counted) counter.end(key, clock(), failed);
        anAttemptEnded.resolve();
        anAttemptEnded = Promise.withResolvers();
      }
    },
  };
}
