import { readdir, readFile } from 'node:fs/promises';

/** Resident memory of a process in bytes, as the kernel counts it. */
export interface Memory {
  readonly now: number;
  /** The most since it started. */
  readonly peak: number;
}

export async function readMemory(pid: number): Promise<Memory> {
  const status = await readFile(`/proc/${pid}/status`, 'utf8');
  const field = (name: string) => Number(new RegExp(`^${name}:\\s+(\\d+) kB$`, 'm').exec(status)?.[1]) * 1024;
  return { now: field('VmRSS'), peak: field('VmHWM') };
}

/** Linux counts a hundred ticks a second for everybody, whatever the kernel does inside. */
const TICKS_PER_SECOND = 100;

/** Seconds of processor time that a process, with all its threads and children, has used so far. */
export async function readCpuSeconds(pid: number): Promise<number> {
  const stat = await readFile(`/proc/${pid}/stat`, 'utf8');
  // After the name, which may hold anything: state is field 3, user and system time are 14 and 15.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  const own = (Number(fields[11]) + Number(fields[12])) / TICKS_PER_SECOND;
  const children = await Promise.all((await readChildPids(pid)).map(readCpuSeconds));
  return children.reduce((sum, child) => sum + child, own);
}

/** Ids of the processes that this one has started. */
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
