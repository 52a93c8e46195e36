import { LRUCache } from 'lru-cache';

export interface AttemptLimit {
  /** Failures that are allowed in a row. */
  readonly maxFailures: number;
  /** Milliseconds after which one failure is forgotten. */
  readonly decayMs: number;
}

interface Failures {
  /** Number of failures at the time `at`; fractional, because failures decay continuously. */
  readonly level: number;
  /** In ms since 1970. */
  readonly at: number;
}

/**
 * Counts failed attempts by key (a leaky bucket). Bounded: beyond `maxKeys` keys the least recently used one is
 * forgotten. All times are in ms since 1970.
 */
export class AttemptCounter {
  readonly #limit: AttemptLimit;
  readonly #failures: LRUCache<string, Failures>;
  readonly #inProgress = new Map<string, number>();

  constructor(limit: AttemptLimit, maxKeys: number) {
    this.#limit = limit;
    this.#failures = new LRUCache({ max: maxKeys });
  }

  /** Returns the time until which attempts are refused, or undefined if they are allowed. */
  lockedUntil(key: string, now: number): number | undefined {
    const excess = this.#levelAt(key, now) - (this.#limit.maxFailures - 1);
    return excess > 0 ? Math.ceil(now + excess * this.#limit.decayMs) : undefined;
  }

  /** Returns true if the attempts in progress would reach the limit if all of them failed. */
  isExhausted(key: string, now: number): boolean {
    return this.#levelAt(key, now) + (this.#inProgress.get(key) ?? 0) > this.#limit.maxFailures - 1;
  }

  begin(key: string): void {
    this.#inProgress.set(key, (this.#inProgress.get(key) ?? 0) + 1);
  }

  end(key: string, now: number, failed: boolean): void {
    const inProgress = (this.#inProgress.get(key) ?? 0) - 1;
    if (inProgress > 0) this.#inProgress.set(key, inProgress);
    else this.#inProgress.delete(key);
    const level = this.#levelAt(key, now) + (failed ? 1 : 0);
    if (level > 0) this.#failures.set(key, { level, at: now });
    else this.#failures.delete(key);
  }

  #levelAt(key: string, now: number): number {
    const failures = this.#failures.get(key);
    return failures ? Math.max(0, failures.level - (now - failures.at) / this.#limit.decayMs) : 0;
  }
}
