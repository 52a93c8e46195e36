import { readdir, readFile } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';

/** Resident memory of a process in bytes, from /proc. */
export interface Memory {
  readonly now: number;
  /** The peak since its start. */
  readonly peak: number;
}

export async function readMemory(pid: number): Promise<Memory> {
  const status = await readFile(`/proc/${pid}/status`, 'utf8');
  const field = (name: string) => Number(new RegExp(`^${name}:\\s+(\\d+) kB$`, 'm').exec(status)?.[1]) * 1024;
  return { now: field('VmRSS'), peak: field('VmHWM') };
}

/** USER_HZ of Linux: /proc reports CPU time in hundredths of a second. */
const TICKS_PER_SECOND = 100;

/** Returns the CPU time in seconds of a process with all of its threads and children. */
export async function readCpuSeconds(pid: number): Promise<number> {
  const stat = await readFile(`/proc/${pid}/stat`, 'utf8');
  // The fields after the name, which may contain any character: state is field 3, user and system time are 14 and 15.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  const total = (Number(fields[11]) + Number(fields[12])) / TICKS_PER_SECOND;
  const children = await Promise.all((await readChildPids(pid)).map(readCpuSeconds));
  return children.reduce((sum, child) => sum + child, total);
}

/** Returns the ids of the child processes. */
export async function readChildPids(pid: number | 'self'): Promise<number[]> {
  const tasks = await readdir(`/proc/${pid}/task`);
  const lists = await Promise.all(
    tasks.map((task) => readFile(`/proc/${pid}/task/${task}/children`, 'utf8').catch(() => '')),
  );
  return lists
    .flatMap((list) => list.split(' '))
    .filter(Boolean)
    .map(Number);
}

const TIMEOUT_MS = 5000;

/** Ends all child processes of this process: SIGTERM, then SIGKILL after five seconds. */
export async function endChildren(): Promise<void> {
  const deadline = performance.now() + TIMEOUT_MS;
  for (let pids = await runningChildren(); pids.length > 0; pids = await runningChildren()) {
    const late = performance.now() > deadline;
    for (const pid of pids) signal(pid, late ? 'SIGKILL' : 'SIGTERM');
    await sleep(100);
  }
}

async function runningChildren(): Promise<number[]> {
  const pids = await readChildPids('self');
  const ended = await Promise.all(pids.map(hasEnded));
  return pids.filter((_, index) => !ended[index]);
}

/** A process that has ended may remain as a zombie. */
async function hasEnded(pid: number): Promise<boolean> {
  const stat = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => ') X ');
  return /\) [ZX] /.test(stat);
}

function signal(pid: number, name: NodeJS.Signals): void {
  try {
    process.kill(pid, name);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
  }
}
