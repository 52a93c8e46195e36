import type { Row } from './cases/case.ts';
import type { BenchEnvironment } from './environment.ts';
import { readCpuSeconds } from './process.ts';
import type { FileServer } from './servers/file-server.ts';

/** A server in one case. */
export interface Candidate {
  readonly name: string;
  readonly isPorter: boolean;
  readonly pid: number;
  /** What must not be timed. */
  prepare?(): Promise<void>;
  /** One timed run; higher figures are better. */
  run(): Promise<Run>;
  /** Makes room for the next. */
  cleanUp?(): Promise<void>;
}

export interface Run {
  /** Requests, slots or megabytes. */
  readonly done: number;
  readonly seconds: number;
}

/** All of our own servers are called Porter and something. */
export function toCandidate({ name, pid }: FileServer): Pick<Candidate, 'name' | 'isPorter' | 'pid'> {
  return { name, pid, isPorter: name.startsWith('Porter') };
}

/** Every contestant once a round, so that all of them meet the same machine, quiet or busy. */
export async function measureRounds(
  world: BenchEnvironment,
  contestants: readonly Candidate[],
  rounds = world.options.rounds,
): Promise<Row[]> {
  const rows = contestants.map(({ name, isPorter }) => ({
    name,
    isPorter: isPorter,
    figures: [] as number[],
    cpu: [] as number[],
  }));
  for (let round = 1; round <= rounds; round += 1) {
    for (const [index, contestant] of contestants.entries()) {
      world.log(`  round ${round} of ${rounds}: ${contestant.name}`);
      const { figure, cpu } = await runOnce(contestant);
      rows[index]?.figures.push(figure);
      rows[index]?.cpu.push(cpu);
    }
  }
  return rows;
}

async function runOnce(contestant: Candidate): Promise<{ figure: number; cpu: number }> {
  await contestant.prepare?.();
  try {
    const before = await readCpuSeconds(contestant.pid);
    const { done, seconds } = await contestant.run();
    const used = (await readCpuSeconds(contestant.pid)) - before;
    return { figure: done / seconds, cpu: (used * 1e6) / done };
  } finally {
    await contestant.cleanUp?.();
  }
}
