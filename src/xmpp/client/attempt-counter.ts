/** How many wrong passwords are forgiven at once, and how fast one of them is forgotten (milliseconds). */
export interface AttemptLimit {
  readonly maxFailures: number;
  readonly decayMs: number;
}

/** Counts failures by key; each is forgotten with time. Bounded: of too many keys the one untouched for longest goes. */
export interface AttemptCounter {
  /** Until when this key may try nothing, ms since 1970; undefined where it may. */
  lockedUntil(key: string, now: number): number | undefined;
  /** Are all tries that are left under way? */
  isExhausted(key: string, now: number): boolean;
  /** A try begins. */
  begin(key: string, now: number): void;
  /** It has ended; a failure counts. */
  end(key: string, now: number, failed: boolean): void;
}

interface Bucket {
  /** Failures at the time `at`, some of them forgotten in part. */
  level: number;
  at: number;
  underWay: number;
}

export function createAttemptCounter(
  { maxFailures, decayMs }: AttemptLimit,
  maxKeys: number,
): AttemptCounter {
  /** The one touched last at the end. */
  const buckets = new Map<string, Bucket>();

  function levelOf(key: string, now: number): number {
    const bucket = buckets.get(key);
    return bucket ? Math.max(0, bucket.level - (now - bucket.at) / decayMs) : 0;
  }

  function touch(key: string, now: number): Bucket {
    const bucket = buckets.get(key) ?? { level: 0, at: now, underWay: 0 };
    bucket.level = levelOf(key, now);
    bucket.at = now;
    buckets.delete(key);
    buckets.set(key, bucket);
    if (buckets.size > maxKeys) forgetOne();
    return bucket;
  }

  function forgetOne(): void {
    for (const [key, { underWay }] of buckets) {
      if (underWay > 0) continue;
      buckets.delete(key);
      return;
    }
  }

  return {
    lockedUntil(key, now) {
      const over = levelOf(key, now) - (maxFailures - 1);
      return over > 0 ? Math.ceil(now + over * decayMs) : undefined;
    },
    isExhausted(key, now) {
      return levelOf(key, now) + (buckets.get(key)?.underWay ?? 0) > maxFailures - 1;
    },
    begin(key, now) {
      touch(key, now).underWay += 1;
    },
    end(key, now, failed) {
      const bucket = touch(key, now);
      bucket.underWay = Math.max(0, bucket.underWay - 1);
      if (failed) bucket.level += 1;
      if (bucket.level === 0 && bucket.underWay === 0) buckets.delete(key);
    },
  };
}
