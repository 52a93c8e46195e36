import { Refusal } from './errors.ts';

/** Runs a piece of work, or refuses it because too many are under way. */
export type ConcurrencyLimit = <T>(work: () => Promise<T>) => Promise<T>;

export function createConcurrencyLimit(limit: number): ConcurrencyLimit {
  let inside = 0;
  return async (work) => {
    if (inside >= limit) throw new Refusal('busy');
    inside += 1;
    try {
      return await work();
    } finally {
      inside -= 1;
    }
  };
}

/** Runs a piece of work that counts for each of these keys, or refuses it. */
export type SharedLimit = <T>(keys: readonly string[], work: () => Promise<T>) => Promise<T>;

/**
 * Like `createConcurrencyLimit`, where no key gets more than `share` of the places. The share is checked first, so that a
 * key that has used it up does not take a place from the others.
 */
export function createSharedLimit(limit: number, share: number): SharedLimit {
  const limitTotal = createConcurrencyLimit(limit);
  const inside = new Map<string, number>();
  return async (keys, work) => {
    if (keys.some((key) => (inside.get(key) ?? 0) >= share)) throw new Refusal('busy');
    for (const key of keys) inside.set(key, (inside.get(key) ?? 0) + 1);
    try {
      return await limitTotal(work);
    } finally {
      for (const key of keys) {
        const left = (inside.get(key) ?? 0) - 1;
        if (left > 0) inside.set(key, left);
        else inside.delete(key);
      }
    }
  };
}
