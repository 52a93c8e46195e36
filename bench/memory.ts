import { readFile, writeFile } from 'node:fs/promises';

/** Resident memory of a process in bytes, as the kernel counts it. */
export interface Memory {
  readonly now: number;
  /** The most since it started, or since `forgetPeak`. */
  readonly peak: number;
}

export async function memoryOf(pid: number): Promise<Memory> {
  const status = await readFile(`/proc/${pid}/status`, 'utf8');
  const field = (name: string) => Number(new RegExp(`^${name}:\\s+(\\d+) kB$`, 'm').exec(status)?.[1]) * 1024;
  return { now: field('VmRSS'), peak: field('VmHWM') };
}

const FORGET_PEAK = '5';

export async function forgetPeak(pid: number): Promise<void> {
  await writeFile(`/proc/${pid}/clear_refs`, FORGET_PEAK);
}
