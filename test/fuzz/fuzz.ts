import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import fc from 'fast-check';
import { Refusal } from '../../src/base/errors.ts';

export interface FuzzTarget {
  /** The seeds are in `seeds/NAME.json`: inputs that once failed, or that reach deep into the parser. */
  readonly name: string;
  /** Pieces of the syntax, from which inputs are built. */
  readonly tokens: readonly string[];
  /** Throws if the parser handles this input wrongly. Inputs have one character per byte. */
  readonly check: (input: string) => unknown;
}

/** Inputs per target. CI uses the default. Set `PORTER_FUZZ_RUNS` for a longer search. */
export const RUNS = Number(process.env.PORTER_FUZZ_RUNS ?? 300);
const MAX_REPEATS = 20_000;

/** Registers two tests: all kept seeds, and inputs that are built from them. Add an input that fails to the seeds. */
export function fuzzTest({ name, tokens, check }: FuzzTarget): void {
  const seeds = JSON.parse(
    readFileSync(join(import.meta.dirname, 'seeds', `${name}.json`), 'utf8'),
  ) as string[];
  test(`${name}: no kept seed fails`, async () => {
    for (const seed of seeds) await check(seed);
  });
  test(`${name}: no mutated or generated input fails`, async () => {
    await fc.assert(
      fc.asyncProperty(inputs(seeds, tokens), async (input) => {
        await check(input);
      }),
      { numRuns: RUNS },
    );
  });
}

/** Calls a parser whose only expected errors are `Refusal` and the given classes. Returns undefined after one of them. */
export async function expectRefusal<T>(
  parse: () => T | Promise<T>,
  ...errors: readonly (new (
    ...values: never[]
  ) => Error)[]
): Promise<T | undefined> {
  try {
    return await parse();
  } catch (error) {
    if (error instanceof Refusal || errors.some((expected) => error instanceof expected)) return undefined;
    throw error;
  }
}

function inputs(seeds: readonly string[], tokens: readonly string[]): fc.Arbitrary<string> {
  const byte = fc.nat(255).map((code) => String.fromCharCode(code));
  const piece = fc.oneof(
    { weight: 4, arbitrary: fc.constantFrom(...tokens) },
    { weight: 1, arbitrary: byte },
  );
  const built = fc.array(piece, { maxLength: 30 }).map((pieces) => pieces.join(''));
  const edit = fc.record({ at: fc.nat(), length: fc.nat(8), text: fc.oneof(piece, fc.constant('')) });
  const mutated = fc
    .tuple(fc.constantFrom(...seeds), fc.array(edit, { maxLength: 5 }))
    .map(([seed, edits]) => edits.reduce(applyEdit, seed));
  const spliced = fc
    .tuple(fc.constantFrom(...seeds), fc.constantFrom(...seeds), fc.nat(), fc.nat())
    .map(
      ([one, other, end, start]) =>
        one.slice(0, end % (one.length + 1)) + other.slice(start % (other.length + 1)),
    );
  const repeated = fc
    .tuple(built, piece, fc.nat(MAX_REPEATS), built)
    .map(([before, text, count, after]) => before + text.repeat(count) + after);
  return fc.oneof(
    { weight: 5, arbitrary: mutated },
    { weight: 3, arbitrary: built },
    { weight: 2, arbitrary: spliced },
    { weight: 1, arbitrary: repeated },
  );
}

function applyEdit(
  text: string,
  edit: { readonly at: number; readonly length: number; readonly text: string },
): string {
  const at = edit.at % (text.length + 1);
  return text.slice(0, at) + edit.text + text.slice(at + edit.length);
}
