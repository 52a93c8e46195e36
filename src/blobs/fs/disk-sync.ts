import { fdatasync, fsyncFolder } from './syscalls.ts';

/** What makes bytes survive a power cut, with as few trips to the disk as the promise allows. */
export interface DiskSync {
  /** The bytes of an open file are on disk. */
  syncFile(fd: number): Promise<void>;
  /** All entries that the folder had when this was called are on disk. Calls at one time share a trip. */
  syncFolder(folder: string): Promise<void>;
}

/**
 * `atOnce` bounds the trips under way, so that slow ones never take every thread of the pool and reads go on.
 */
export function createDiskSync(atOnce: number): DiskSync {
  const gate = createGate(atOnce);
  const running = new Map<string, Promise<void>>();
  const waiting = new Map<string, Promise<void>>();

  async function next(folder: string): Promise<void> {
    await running.get(folder)?.catch(() => undefined);
    const trip = gate(() => {
      waiting.delete(folder);
      return fsyncFolder(folder);
    });
    running.set(folder, trip);
    try {
      await trip;
    } finally {
      if (running.get(folder) === trip) running.delete(folder);
    }
  }

  return {
    syncFile: (fd) => gate(() => fdatasync(fd)),
    syncFolder(folder) {
      const shared = waiting.get(folder);
      if (shared !== undefined) return shared;
      const own = next(folder);
      waiting.set(folder, own);
      return own;
    },
  };
}

/** Lets so many run at a time; the others wait in line. */
function createGate(atOnce: number): <T>(run: () => Promise<T>) => Promise<T> {
  const line: (() => void)[] = [];
  let inside = 0;
  return async (run) => {
    if (inside >= atOnce) await new Promise<void>((enter) => line.push(enter));
    else inside += 1;
    try {
      return await run();
    } finally {
      const following = line.shift();
      if (following) following();
      else inside -= 1;
    }
  };
}
