import { Refusal } from '../base/errors.ts';

/** Runs a piece of work, or refuses it because too many are under way. */
export type Gate = <T>(work: () => Promise<T>) => Promise<T>;

export function createGate(limit: number): Gate {
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
