import assert from 'node:assert/strict';
import type { Program } from '../support/program.ts';

interface LogLine {
  readonly msg: string;
  readonly pid: number;
  readonly worker?: number;
  /** The id of the message or upload that the line is about. */
  readonly id?: string;
  readonly workerPid?: number;
  /** Bytes of a stored upload. */
  readonly size?: number;
  /** The part whose readiness has changed: `ledger`, `blobs` or the JID of a component. */
  readonly part?: string;
}

/** Parses the JSON log of a program, in order. */
export function readLog(program: Program): LogLine[] {
  const lines = program.stdout.split('\n').slice(0, -1);
  return lines.filter((line) => line.startsWith('{')).map((line) => JSON.parse(line) as LogLine);
}

/** The process ids of the running workers, by worker number. */
export function servingWorkers(program: Program): Map<number, number> {
  const serving = new Map<number, number>();
  for (const { msg, worker, workerPid } of readLog(program)) {
    if (worker === undefined || workerPid === undefined) continue;
    if (msg === 'worker serves') serving.set(worker, workerPid);
    else if (msg.startsWith('worker') && serving.get(worker) === workerPid) serving.delete(worker);
  }
  return serving;
}

/** Whether the latest readiness that each process of this server has reported for this part is `ready`. */
export function everyProcessReports(program: Program, part: string, ready: boolean): boolean {
  const workers = [...servingWorkers(program).values()];
  const log = readLog(program).filter((entry) => entry.part === part);
  return (workers.length > 0 ? workers : [program.pid]).every((pid) => {
    const latest = log.findLast((entry) => entry.pid === pid);
    return latest === undefined ? ready : (latest.msg === 'works again') === ready;
  });
}

/** The process id of the leading worker. */
export function leaderPid(program: Program): number {
  const leaders = readLog(program).filter(({ msg }) => msg === 'this worker leads');
  const pid = leaders.at(-1)?.workerPid;
  assert.ok(pid);
  return pid;
}

/** Kills a worker and waits until its replacement serves. */
export async function killWorker(program: Program, pid: number): Promise<void> {
  const [number = 0] = [...servingWorkers(program)].find(([, found]) => found === pid) ?? [];
  process.kill(pid, 'SIGKILL');
  await program.waitFor(
    `another worker ${number}`,
    () => ![undefined, pid].includes(servingWorkers(program).get(number)),
  );
}
