import { readFileSync } from 'node:fs';

/**
 * Returns how many files and sockets this process may have open (`ulimit -n`; Node.js raises the soft limit to the hard one
 * when it starts). Returns undefined if the system does not tell, or has no limit.
 */
export function fileDescriptorLimit(): number | undefined {
  try {
    const soft = /^Max open files +(\d+)/m.exec(readFileSync('/proc/self/limits', 'utf8'))?.[1];
    return soft === undefined ? undefined : Number(soft);
  } catch {
    return undefined;
  }
}
