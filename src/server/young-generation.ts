import { PerformanceObserver } from 'node:perf_hooks';
import { getHeapSpaceStatistics, setFlagsFromString } from 'node:v8';

/*
 * V8 collects new objects in the "young generation": two halves ("semi-spaces"), of which one is in use. It begins with 1 MiB. Under
 * load V8 would double it up to 16 or 32 MiB. Too small, and the objects of requests in progress survive two collections, so that
 * they are copied to the old generation, which is far more expensive to collect. Too large, and memory is wasted.
 *
 * V8 reads the growth factor whenever it considers to grow the young generation, but it reads the maximum only when the process starts.
 * So the factor is the only limit that a program can set itself (docs/decisions/0033-speed-of-small-files.md).
 *
 *   at rest: 1 MiB ── load ──> 2, then 4 MiB ── capacity reached: factor 1 ──> stays
 *      ^                                                                        │
 *      └──────────── V8 shrinks it when the load is over: factor 2 ────────────┘
 */

const MAX_SEMI_SPACE_BYTES = 4 * 1024 * 1024;

/** Limits the young generation of this thread to semi-spaces of 4 MiB. Reads its size after each collection. */
export function limitYoungGeneration(): void {
  let factor: number | undefined;
  const adjust = () => {
    const wanted = growthFactorFor(semiSpaceBytes());
    if (wanted === factor) return;
    factor = wanted;
    setFlagsFromString(`--semi-space-growth-factor=${factor}`);
  };
  adjust();
  new PerformanceObserver(adjust).observe({ entryTypes: ['gc'] });
}

/**
 * Returns the factor by which V8 may grow semi-spaces that have room for this many bytes; 1 means no growth. The headers of its
 * pages are not counted, so a semi-space of 4 MiB has a little less room.
 */
export const growthFactorFor = (semiSpaceBytes: number): 1 | 2 =>
  semiSpaceBytes < 0.75 * MAX_SEMI_SPACE_BYTES ? 2 : 1;

function semiSpaceBytes(): number {
  const space = getHeapSpaceStatistics().find(({ space_name }) => space_name === 'new_space');
  return space ? space.space_used_size + space.space_available_size : Number.POSITIVE_INFINITY;
}
