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
