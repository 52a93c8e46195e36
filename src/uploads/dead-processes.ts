import { readlinkSync } from 'node:fs';
import { hostname } from 'node:os';
import type { UploadServices } from './services.ts';

/** Where a pid of ours means us: this host and, on Linux, this pid namespace, because containers may share a name. */
export const processHost = [hostname(), pidNamespace()].join(' ').trim();

function pidNamespace(): string {
  try {
    return readlinkSync('/proc/self/ns/pid');
  } catch {
    return '';
  }
}

/**
 * Voids the claims of processes that ended here without a word, so that after a crash people can send their files
 * again at once. Processes elsewhere are given the time in which a heartbeat would have come.
 */
export async function releaseClaimsOfDeadProcesses({
  ledger,
  instance,
  log,
}: Pick<UploadServices, 'ledger' | 'instance' | 'log'>): Promise<void> {
  const here = await ledger.listInstances(processHost);
  const dead = here.filter(({ id, pid }) => id !== instance && !isAlive(pid));
  if (dead.length === 0) return;
  await ledger.removeInstances(dead.map(({ id }) => id));
  log.info({ processes: dead.length }, 'claims of processes that have ended are void');
}

/** Our own pid, under another name, was somebody before us. */
function isAlive(pid: number): boolean {
  if (pid === process.pid) return false;
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}
