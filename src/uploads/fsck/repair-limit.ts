import { formatDateTime } from '../../base/clock.ts';
import { formatCount } from '../../base/units.ts';
import type { Ledger } from '../../ledger/contract/ledger.ts';
import type { FsckFault } from './faults.ts';

/** A repair that would remove or change a larger share of all files needs `force`. */
const MAX_REPAIRED_SHARE = 0.1;
/** The clocks of the file store and of the ledger may differ, and an upload may take a while. */
const CLOCK_SLACK_MS = 3600_000;

/** The repair would remove or change so many files that the store is probably the wrong one. Some files may have been repaired. */
export class TooManyRepairsError extends Error {
  /** Minimum number of files that would be removed or changed. */
  readonly files: number;
  /** All files: uploads in the ledger, or blobs if there are more of them. */
  readonly total: number;

  constructor(files: number, total: number) {
    super(
      `The repair would remove or change ${files} of ${formatCount(total, 'file')}, which is more than 10 %. Nothing more is repaired. ` +
        'Check that storage.blobs and storage.ledger are complete and belong together. ' +
        'If the files are really gone, run: porter fsck --repair --force',
    );
    this.name = 'TooManyRepairsError';
    this.files = files;
    this.total = total;
  }
}

/** The store has files that are newer than the whole ledger, which is probably an old copy. Nothing was repaired. */
export class StaleLedgerError extends Error {
  constructor(files: number, newestRecordAt: number | undefined) {
    const database =
      newestRecordAt === undefined
        ? 'The database has no records of files'
        : `The newest record of the database is from ${formatDateTime(newestRecordAt)}`;
    super(
      `${database}, but ${files} unknown stored ${files === 1 ? 'file is' : 'files are'} newer. ` +
        'The database is probably an old copy. Nothing is repaired. Restore the latest database. ' +
        'If there is none, run: porter fsck --repair --force. It moves the unknown files to lost+found.',
    );
    this.name = 'StaleLedgerError';
  }
}

/** Counts the faults whose repair would remove or change a file. */
export class RepairCounter {
  readonly #newestRecordAt: number | undefined;
  #files = 0;
  #newer = 0;

  private constructor(newestRecordAt: number | undefined) {
    this.#newestRecordAt = newestRecordAt;
  }

  static async create(ledger: Pick<Ledger, 'listUploads' | 'listRemovals'>): Promise<RepairCounter> {
    const [upload] = await ledger.listUploads({ limit: 1, newestFirst: true });
    const [removal] = await ledger.listRemovals({ limit: 1 });
    const times = [upload?.createdAt, upload?.storedAt, removal?.removedAt].filter((time) => time != null);
    return new RepairCounter(times.length === 0 ? undefined : Math.max(...times));
  }

  add(fault: FsckFault): void {
    if (fault.kind !== 'missing' && fault.kind !== 'wrong_size' && fault.kind !== 'orphan') return;
    this.#files += 1;
    if (fault.kind === 'orphan' && fault.modifiedAt > (this.#newestRecordAt ?? 0) + CLOCK_SLACK_MS)
      this.#newer += 1;
  }

  get files(): number {
    return this.#files;
  }

  /** Throws `StaleLedgerError` if an unknown file is newer than the ledger. */
  assertNotStale(): void {
    if (this.#newer > 0) throw new StaleLedgerError(this.#newer, this.#newestRecordAt);
  }
}

/** Limits the repairs of the second pass, because more files may be missing than when they were counted. */
export interface RepairLimit {
  /** Called before each repair. Throws `TooManyRepairsError` if the limit is exceeded. */
  count(): void;
}

/** Returns the limit for the repair of a store with `total` files. Throws if the counted repairs are not allowed. */
export function allowedRepairs(counter: RepairCounter, total: number): RepairLimit {
  counter.assertNotStale();
  const limit = total * MAX_REPAIRED_SHARE;
  if (counter.files > limit) throw new TooManyRepairsError(counter.files, total);
  let repairs = 0;
  return {
    count() {
      repairs += 1;
      if (repairs > limit) throw new TooManyRepairsError(repairs, total);
    },
  };
}
