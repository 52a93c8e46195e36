/** Options for the pauses between attempts, in milliseconds. */
export interface Backoff {
  /** The pause before the second attempt. Default: one second. */
  readonly firstMs?: number;
  /** The longest pause. Default: one minute. */
  readonly longestMs?: number;
  /** A random number from 0 to 1. Shortens a pause by up to a half, so that many clients do not retry at the same time. Default: 0. */
  readonly chance?: number;
}

/** Returns the pause after a failed attempt, in milliseconds. It doubles with each of the earlier `failures`, up to the longest. */
export function backoffMs(failures: number, options: Backoff = {}): number {
  const { firstMs = 1_000, longestMs = 60_000, chance = 0 } = options;
  const full = Math.min(firstMs * 2 ** Math.min(failures, 32), longestMs);
  return Math.round(full * (1 - chance / 2));
}
