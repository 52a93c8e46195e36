const FIRST_MS = 1_000;
const LONGEST_MS = 60_000;

/**
 * Returns the pause before attempt number `attempt` (from 0) in milliseconds: one second, doubled each time up to
 * `longest`. `chance` (0 to 1) shortens it by up to a half, so that many clients do not retry at the same time.
 */
export function backoffMs(attempt: number, chance: number, longest: number = LONGEST_MS): number {
  const full = Math.min(FIRST_MS * 2 ** Math.min(attempt, 32), longest);
  return Math.round(full * (1 - chance / 2));
}
