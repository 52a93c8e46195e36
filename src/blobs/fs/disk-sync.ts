import { dirname } from 'node:path';
import { createSemaphore } from '../../base/async.ts';
import { fdatasync, fsyncFolder } from './syscalls.ts';

/** Makes files survive a power failure, with as few fsync calls as possible. */
export interface DiskSync {
  /** Resolves once the bytes of an open file are on disk. */
  syncFile(fd: number): Promise<void>;
  /** Resolves once all entries that the folder had at the call are on disk. Concurrent calls share one fsync. */
  syncFolder(folder: string): Promise<void>;
  /** Resolves once the name of a file in its folder, and the name of the folder in the root, are on disk. */
  syncName(path: string): Promise<void>;
  /** Records that this folder was missing and was created: its own name is not on disk yet. */
  folderCreated(folder: string): void;
}

/** `limit`: maximum number of concurrent fsync calls, so that slow ones leave threads of the pool for reads. */
export function createDiskSync(limit: number): DiskSync {
  const limited = createSemaphore(limit);
  const running = new Map<string, Promise<void>>();
  const waiting = new Map<string, Promise<void>>();
  /**
   * Folders whose own names are on disk. A folder that exists is not enough: another PUT, another process, or a killed one may
   * have created it without an fsync of the root so far. So the first file of each folder waits for one.
   */
  const durableFolders = new Set<string>();

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

  function syncFolder(folder: string): Promise<void> {
    const shared = waiting.get(folder);
    if (shared !== undefined) return shared;
    const sync = syncNext(folder);
    waiting.set(folder, sync);
    return sync;
  }

  async function syncFolderName(folder: string): Promise<void> {
    if (durableFolders.has(folder)) return;
    await syncFolder(dirname(folder));
    durableFolders.add(folder);
  }

  return {
    syncFile: (fd) => limited(() => fdatasync(fd)),
    syncFolder,
    async syncName(path) {
      const folder = dirname(path);
      const results = await Promise.allSettled([syncFolder(folder), syncFolderName(folder)]);
      for (const result of results) if (result.status === 'rejected') throw result.reason;
    },
    folderCreated(folder) {
      durableFolders.delete(folder);
    },
  };
}
