import { readdirSync, readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';

const PATIENCE = 5000;

/** Ends every program that this process has started, whatever started it, by its id. */
export async function endChildren(): Promise<void> {
  const deadline = performance.now() + PATIENCE;
  for (let pids = children(); pids.length > 0; pids = children()) {
    const late = performance.now() > deadline;
    for (const pid of pids) signal(pid, late ? 'SIGKILL' : 'SIGTERM');
    await sleep(100);
  }
}

/** Those that have ended and wait for us to notice are none. */
function children(): number[] {
  return readdirSync('/proc/self/task')
    .flatMap((task) => readFileSync(`/proc/self/task/${task}/children`, 'utf8').trim().split(' '))
    .filter((pid) => pid !== '' && !isZombie(pid))
    .map(Number);
}

function isZombie(pid: string): boolean {
  try {
    return /\) [ZX] /.test(readFileSync(`/proc/${pid}/stat`, 'utf8'));
  } catch {
    return true;
  }
}

function signal(pid: number, name: NodeJS.Signals): void {
  try {
    process.kill(pid, name);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
  }
}
