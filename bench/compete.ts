import type { Row } from './cases/case.ts';
import type { World } from './world.ts';

/** A server in one case. */
export interface Contestant {
  readonly name: string;
  readonly ours: boolean;
  /** What must not be timed. */
  prepare?(): Promise<void>;
  /** One timed run; higher figures are better. */
  run(): Promise<number>;
  /** Makes room for the next. */
  cleanUp?(): Promise<void>;
}

/** Every contestant once a round, so that all of them meet the same machine, quiet or busy. */
export async function compete(world: World, contestants: readonly Contestant[]): Promise<Row[]> {
  const { rounds } = world.options;
  const figures = contestants.map((): number[] => []);
  for (let round = 1; round <= rounds; round += 1) {
    for (const [index, contestant] of contestants.entries()) {
      world.say(`  round ${round} of ${rounds}: ${contestant.name}`);
      figures[index]?.push(await runOnce(contestant));
    }
  }
  return contestants.map(({ name, ours }, index) => ({ name, ours, figures: figures[index] ?? [] }));
}

async function runOnce(contestant: Contestant): Promise<number> {
  await contestant.prepare?.();
  try {
    return await contestant.run();
  } finally {
    await contestant.cleanUp?.();
  }
}
