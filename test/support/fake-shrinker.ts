import type { Shrinker, ShrinkResult } from '../../src/uploads/thumbnails/shrinker.ts';
import { tinyWebp } from './pictures.ts';

export interface FakeShrinker extends Shrinker {
  /** The width of each requested thumbnail. */
  readonly widths: number[];
  /** The result for the next pictures; by default `made`. */
  result: ShrinkResult;
  /** Called before each result. */
  before: () => Promise<void>;
}

/** Creates a shrinker that reads pictures completely, as the real one does, but decodes none. */
export function createFakeShrinker(): FakeShrinker {
  const widths: number[] = [];
  return {
    widths,
    result: { kind: 'made', thumbnail: tinyWebp() },
    before: async () => {},
    async shrink(picture, size, width) {
      widths.push(width);
      let read = 0;
      for await (const chunk of picture) read += chunk.length;
      if (read !== size) throw new Error('The picture was not read whole.');
      await this.before();
      return this.result;
    },
    findProblem: async () => undefined,
    close: () => {},
  };
}
