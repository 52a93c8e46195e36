const FIRST_MS = 1_000;
const LONGEST_MS = 60_000;

/**
 * Milliseconds before try number `attempt` (from 0): one second, doubled each time up to `longest`. Chance
 * (0 to 1) takes up to half of it off, so that many do not come back at the same moment.
 */
export function backoffMs(attempt: number, chance: number, longest: number = LONGEST_MS): number {
  const full = Math.min(FIRST_MS * 2 ** Math.min(attempt, 32), longest);
  return Math.round(full * (1 - chance / 2));
}
