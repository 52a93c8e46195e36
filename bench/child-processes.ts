import { readFile } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { readChildPids } from './process.ts';

const PATIENCE = 5000;

/** Ends every program that this process has started, whatever started it, by its id. */
export async function endChildren(): Promise<void> {
  const deadline = performance.now() + PATIENCE;
  for (let pids = await living(); pids.length > 0; pids = await living()) {
    const late = performance.now() > deadline;
    for (const pid of pids) signal(pid, late ? 'SIGKILL' : 'SIGTERM');
    await sleep(100);
  }
}

async function living(): Promise<number[]> {
  const pids = await readChildPids('self');
  const ended = await Promise.all(pids.map(hasEnded));
  return pids.filter((_, index) => !ended[index]);
}

/** One that has ended may still wait for us to notice. */
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
