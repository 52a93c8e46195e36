import { backup, DatabaseSync } from 'node:sqlite';
import { LedgerError } from '../contract/ledger.ts';
import { fromSqliteError } from './sqlite-error.ts';

/** All pages in one step: a copy in several steps begins again whenever another process writes. */
const ALL_PAGES = 2 ** 31 - 1;

/**
 * Copies the database to a new file with the online backup API of SQLite (https://sqlite.org/backup.html). The copy is the state
 * at one moment, with all committed transactions. Writers are not blocked.
 * @throws LedgerError
 */
export async function backUpSqliteFile(file: string, target: string): Promise<void> {
  try {
    const source = new DatabaseSync(file, { readOnly: true });
    try {
      await backup(source, target, { rate: ALL_PAGES });
    } finally {
      source.close();
    }
  } catch (error) {
    throw fromSqliteError(error, file);
  }
}

/** Merges the write-ahead log into a database that is complete, so that it is one file and can be read on a read-only disk. */
export function sealSqliteFile(file: string): void {
  try {
    const database = new DatabaseSync(file);
    database.exec('pragma journal_mode = delete');
    database.close();
  } catch (error) {
    throw fromSqliteError(error, file);
  }
}

/** Throws `LedgerError` unless the file is an intact ledger. */
export function assertIntactLedger(file: string): void {
  try {
    const database = new DatabaseSync(file, { readOnly: true });
    try {
      const [problem] = database.prepare('pragma quick_check(1)').all();
      if (problem?.quick_check !== 'ok')
        throw new LedgerError('damaged', `${file} is damaged: ${problem?.quick_check}. Use another backup.`);
      const tables = database
        .prepare("select name from sqlite_schema where type = 'table' and name in ('migrations', 'uploads')")
        .all();
      if (tables.length < 2)
        throw new LedgerError(
          'damaged',
          `${file} is not a ledger of Porter. Give a file that porter backup has written.`,
        );
    } finally {
      database.close();
    }
  } catch (error) {
    throw fromSqliteError(error, file);
  }
}
