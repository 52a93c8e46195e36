import assert from 'node:assert/strict';
import type { Program } from '../support/program.ts';

interface Line {
  readonly msg: string;
  readonly pid: number;
  readonly worker?: number;
  /** Of the message that the line is about. */
  readonly id?: string;
  readonly workerPid?: number;
}

/** Lines of the log, in their order. */
export function readLog(program: Program): Line[] {
  const lines = program.stdout.split('\n').slice(0, -1);
  return lines.filter((line) => line.startsWith('{')).map((line) => JSON.parse(line) as Line);
}

/** The process of every worker that serves, by its number. */
export function servingWorkers(program: Program): Map<number, number> {
  const serving = new Map<number, number>();
  for (const { msg, worker, workerPid } of readLog(program)) {
    if (worker === undefined || workerPid === undefined) continue;
    if (msg === 'a worker serves') serving.set(worker, workerPid);
    else if (msg.startsWith('a worker') && serving.get(worker) === workerPid) serving.delete(worker);
  }
  return serving;
}

/** The worker that leads on this machine. */
export function leaderPid(program: Program): number {
  const appointed = readLog(program).filter(({ msg }) => msg === 'this worker leads');
  const pid = appointed.at(-1)?.workerPid;
  assert.ok(pid);
  return pid;
}

/** Kills a worker, and waits until another serves in its place. */
export async function killWorker(program: Program, pid: number): Promise<void> {
  const [number = 0] = [...servingWorkers(program)].find(([, found]) => found === pid) ?? [];
  process.kill(pid, 'SIGKILL');
  await program.waitFor(
    `another worker ${number}`,
    () => ![undefined, pid].includes(servingWorkers(program).get(number)),
    60,
  );
}
