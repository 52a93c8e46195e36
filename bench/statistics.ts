/** A figure that was measured several times. */
export interface Spread {
  readonly median: number;
  readonly min: number;
  readonly max: number;
}

export function toSpread(values: readonly number[]): Spread {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = (sorted.length - 1) / 2;
  const below = sorted[Math.floor(middle)] ?? Number.NaN;
  const above = sorted[Math.ceil(middle)] ?? Number.NaN;
  return { median: (below + above) / 2, min: sorted[0] ?? Number.NaN, max: sorted.at(-1) ?? Number.NaN };
}

/**
 * The ratio round by round: servers that had their turns right after each other met the same machine, so what
 * else went on there weighs less than in a ratio of two medians.
 */
export function ratioOf(isPorter: readonly number[], theirs: readonly number[]): Spread {
  return toSpread(isPorter.map((value, round) => value / (theirs[round] ?? Number.NaN)));
}
