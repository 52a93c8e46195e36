import { memoizeFor, withTimeout } from '../../base/async.ts';
import { Refusal } from '../../base/errors.ts';
import type { Logger } from '../../base/log.ts';
import type { DiskSpace } from '../../base/system-resources.ts';
import { formatCount, formatSize } from '../../base/units.ts';

/** A file system that Porter writes to. */
export interface ReservedDisk {
  readonly store: 'blobs' | 'ledger';
  /** Resolves with undefined if the store does not report its space. S3 does not. */
  readonly readSpace: () => Promise<DiskSpace | undefined>;
}

export interface DiskState {
  readonly store: ReservedDisk['store'];
  readonly space: DiskSpace;
  /** Whether the disk has less free space than the reserve, so that uploads are refused. */
  readonly isLow: boolean;
}

/**
 * Keeps `storage.reserve` free, for the blobs and for the ledger: new slots and uploads are refused below it. Downloads and
 * removals do not depend on it.
 */
export interface SpaceReserve {
  /** Throws `storage_full` if a new file of `size` bytes would leave less than the reserve. */
  check(size: number): Promise<void>;
  /** Throws `storage_full` if the space that was read last is below the reserve. Never waits: it is called for each batch of a body. */
  checkWhileWriting(): void;
  /** Returns the file systems whose space is known. */
  states(): Promise<readonly DiskState[]>;
}

/** Reserves nothing. For stores that are not on a disk of this machine, and for tests. */
export const noReserve: SpaceReserve = {
  check: async () => {},
  checkWhileWriting: () => {},
  states: async () => [],
};

const DEFAULT_RESERVE = 256 * 1024 ** 2;
/** The default reserves at most this share of a small disk. */
const DEFAULT_SHARE = 0.02;
const RESERVED_FILES = 1000;
/** At most this share of the files of a small file system is reserved. */
const RESERVED_FILES_SHARE = 0.02;
/** The space is read at most once in this time. */
const VALID_MS = 1000;
/** A file system that answers later does not delay uploads: its space counts as unknown until then. */
const TIMEOUT_MS = 1000;

/** Returns the bytes that stay free on a disk. `configured`: `storage.reserve`, or null for the default. */
export function reservedBytes(configured: number | null, { total }: Pick<DiskSpace, 'total'>): number {
  return configured ?? Math.min(DEFAULT_RESERVE, Math.floor(total * DEFAULT_SHARE));
}

/** Returns the files (inodes) that stay free on a disk. A reserve of 0 bytes turns this off too. */
export function reservedFiles(
  configured: number | null,
  { totalFiles }: Pick<DiskSpace, 'totalFiles'>,
): number {
  if (configured === 0) return 0;
  return Math.min(RESERVED_FILES, Math.floor(totalFiles * RESERVED_FILES_SHARE));
}

/** Returns true if `size` more bytes would leave less than the reserve. */
export function isBelowReserve(configured: number | null, space: DiskSpace, size = 0): boolean {
  if (space.free - size < reservedBytes(configured, space)) return true;
  return space.totalFiles > 0 && space.freeFiles < reservedFiles(configured, space);
}

export function createSpaceReserve(
  log: Pick<Logger, 'info' | 'warn'>,
  disks: readonly ReservedDisk[],
  configured: number | null,
): SpaceReserve {
  let last: readonly DiskState[] = [];
  const readDisk = async ({ store, readSpace }: ReservedDisk): Promise<DiskState[]> => {
    // If the space cannot be read, uploads are not refused here: writing to the disk fails with the real reason.
    const space = await withTimeout(readSpace(), TIMEOUT_MS, () => new Error('no answer')).catch(
      () => undefined,
    );
    return space ? [{ store, space, isLow: isBelowReserve(configured, space) }] : [];
  };
  const read = memoizeFor(VALID_MS, async () => {
    const states = (await Promise.all(disks.map(readDisk))).flat();
    logChanges(log, last, states, configured);
    last = states;
    return states;
  });
  return {
    async check(size) {
      for (const { store, space } of await read()) {
        const added = store === 'blobs' ? size : 0;
        if (isBelowReserve(configured, space, added)) throw new Refusal('storage_full');
      }
    },
    checkWhileWriting() {
      void read();
      if (last.some(({ isLow }) => isLow)) throw new Refusal('storage_full');
    },
    states: read,
  };
}

function logChanges(
  log: Pick<Logger, 'info' | 'warn'>,
  before: readonly DiskState[],
  now: readonly DiskState[],
  configured: number | null,
): void {
  for (const { store, space, isLow } of now) {
    const wasLow = before.find((state) => state.store === store)?.isLow ?? false;
    if (isLow === wasLow) continue;
    const reserve = formatSize(reservedBytes(configured, space));
    const room = `${formatSize(space.free)} and ${formatCount(space.freeFiles, 'file')} free`;
    if (isLow)
      log.warn(
        { store, free: space.free, freeFiles: space.freeFiles },
        `the disk of the ${store} has less than storage.reserve (${room}, ${reserve} reserved); uploads are refused with 507. Free some space`,
      );
    else
      log.info({ store, free: space.free }, `the disk of the ${store} has room again; uploads are accepted`);
  }
}
