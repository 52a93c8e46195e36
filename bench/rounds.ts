import type { Row } from './cases/case.ts';
import type { BenchEnvironment } from './environment.ts';
import { readCpuSeconds } from './processes.ts';
import type { FileServer } from './servers/file-server.ts';

/** A server that one case measures. */
export interface Candidate {
  readonly name: string;
  readonly isPorter: boolean;
  readonly pid: number;
  /** Preparation that is not timed. */
  prepare?(): Promise<void>;
  /** One timed run; higher figures are better. */
  run(): Promise<Run>;
  /** Frees space for the next run. */
  cleanUp?(): Promise<void>;
}

export interface Run {
  /** Requests, slots or megabytes. */
  readonly done: number;
  readonly seconds: number;
}

/** The names of all Porter servers begin with "Porter". */
export function toCandidate({ name, pid }: FileServer): Pick<Candidate, 'name' | 'isPorter' | 'pid'> {
  return { name, pid, isPorter: name.startsWith('Porter') };
}

/** Runs every candidate once per round, so that the load of the machine affects all of them equally. */
export async function measureRounds(
  environment: BenchEnvironment,
  candidates: readonly Candidate[],
  rounds = environment.options.rounds,
): Promise<Row[]> {
  const rows = candidates.map(({ name, isPorter }) => ({
    name,
    isPorter: isPorter,
    figures: [] as number[],
    cpu: [] as number[],
  }));
  for (let round = 1; round <= rounds; round += 1) {
    for (const [index, candidate] of candidates.entries()) {
      environment.log(`  round ${round} of ${rounds}: ${candidate.name}`);
      const { figure, cpu } = await runOnce(candidate);
      rows[index]?.figures.push(figure);
      rows[index]?.cpu.push(cpu);
    }
  }
  return rows;
}

async function runOnce(candidate: Candidate): Promise<{ figure: number; cpu: number }> {
  await candidate.prepare?.();
  try {
    const before = await readCpuSeconds(candidate.pid);
    const { done, seconds } = await candidate.run();
    const used = (await readCpuSeconds(candidate.pid)) - before;
    return { figure: done / seconds, cpu: (used * 1e6) / done };
  } finally {
    await candidate.cleanUp?.();
  }
}
