import { closeSync, openSync, readSync, type Stats, statSync } from 'node:fs';
import { LedgerError } from '../contract/ledger.ts';

/*
 * After a crash, the newest transactions are only in the write-ahead log (`-wal`), and SQLite applies it to the database at the
 * next start. If an admin has meanwhile copied a backup over the database, the old log is applied to the new file: the restore
 * has no effect, or damages the file. SQLite cannot notice this, because a log does not name its database
 * (https://sqlite.org/walformat.html). The times of the files show it: only a checkpoint writes to the database, and a
 * checkpoint directly follows a transaction that has been written to the log.
 */

/** A checkpoint may write to the database for this long after the last transaction. */
const CHECKPOINT_MS = 3000;
/** A log without a transaction has only a header of this size. */
const WAL_HEADER_BYTES = 32;
/** Offset of `nBackfillAttempted` in the shared memory file: 0 = no checkpoint since the log was begun. */
const BACKFILL_OFFSET = 128;

/** Throws `LedgerError` if the database file was replaced after its write-ahead log was written. */
export function assertOwnWal(file: string): void {
  const [database, wal, shm] = [file, `${file}-wal`, `${file}-shm`].map(findStats);
  if (!database || !wal || wal.size <= WAL_HEADER_BYTES || database.size === 0) return;
  const writtenMs = database.mtimeMs - wal.mtimeMs;
  const replacedMs = database.ctimeMs - Math.max(wal.ctimeMs, shm?.ctimeMs ?? 0);
  const isWritten = writtenMs > (hasNoCheckpoint(`${file}-shm`) ? 0 : CHECKPOINT_MS);
  // A copy with `cp -p` keeps the time of the content. A `chown` or `chmod` changes all files at about the same time.
  if (!isWritten && replacedMs <= CHECKPOINT_MS) return;
  throw new LedgerError(
    'damaged',
    `The ledger ${file} was replaced after its write-ahead log ${file}-wal was written. SQLite would apply the old log to ` +
      `the new file. If the file is a restored backup, run: rm ${file}-wal ${file}-shm. ` +
      `If both belong together, run: touch ${file}-wal`,
  );
}

function findStats(path: string): Stats | undefined {
  return statSync(path, { throwIfNoEntry: false });
}

function hasNoCheckpoint(shm: string): boolean {
  try {
    const fd = openSync(shm, 'r');
    try {
      const field = Buffer.alloc(4);
      return readSync(fd, field, 0, 4, BACKFILL_OFFSET) === 4 && field.every((byte) => byte === 0);
    } finally {
      closeSync(fd);
    }
  } catch {
    return false;
  }
}
