import { createSemaphore } from '../../base/async.ts';
import { fdatasync, fsyncFolder } from './syscalls.ts';

/** Makes files survive a power failure, with as few fsync calls as possible. */
export interface DiskSync {
  /** Resolves once the bytes of an open file are on disk. */
  syncFile(fd: number): Promise<void>;
  /** Resolves once all entries that the folder had at the call are on disk. Concurrent calls share one fsync. */
  syncFolder(folder: string): Promise<void>;
}

/** `limit`: calls to the disk at a time, so that slow ones leave threads of the pool for reads. */
export function createDiskSync(limit: number): DiskSync {
  const limited = createSemaphore(limit);
  const running = new Map<string, Promise<void>>();
  const waiting = new Map<string, Promise<void>>();

  /** A running fsync may have begun before the caller's entry was made, so this starts another one after it. */
  async function syncNext(folder: string): Promise<void> {
    await running.get(folder)?.catch(() => undefined);
    const sync = limited(() => {
      waiting.delete(folder);
      return fsyncFolder(folder);
    });
    running.set(folder, sync);
    try {
      await sync;
    } finally {
      if (running.get(folder) === sync) running.delete(folder);
    }
  }

  return {
    syncFile: (fd) => limited(() => fdatasync(fd)),
    syncFolder(folder) {
      const shared = waiting.get(folder);
      if (shared !== undefined) return shared;
      const sync = syncNext(folder);
      waiting.set(folder, sync);
      return sync;
    },
  };
}
