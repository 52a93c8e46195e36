import { readFileSync } from 'node:fs';
import { statfs } from 'node:fs/promises';

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

/** The room of a file system, in bytes and in files (inodes). */
export interface DiskSpace {
  /** Bytes that this process may use; blocks that are kept for root do not count. */
  readonly free: number;
  readonly total: number;
  readonly freeFiles: number;
  /** 0 if the file system does not limit the number of files, as btrfs. */
  readonly totalFiles: number;
}

/** Reads the room of the file system that has this file or folder. */
export async function readDiskSpace(path: string): Promise<DiskSpace> {
  const { bavail, blocks, bsize, ffree, files } = await statfs(path);
  return { free: bavail * bsize, total: blocks * bsize, freeFiles: ffree, totalFiles: files };
}
