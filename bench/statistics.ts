/** The distribution of repeated measurements. */
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
 * Computes the ratio per round: runs of the same round had the same load on the machine, so other load matters less than
 * in a ratio of two medians.
 */
export function ratioOf(figures: readonly number[], reference: readonly number[]): Spread {
  return toSpread(figures.map((value, round) => value / (reference[round] ?? Number.NaN)));
}
