import { LedgerError, type LedgerErrorKind } from '../contract/ledger.ts';

/** Primary result codes of SQLite (https://sqlite.org/rescode.html). */
const kinds: Readonly<Record<number, readonly [LedgerErrorKind, string]>> = {
  3: ['denied', 'The ledger may not be opened by this user'],
  5: ['busy', 'The ledger is held by another program'],
  6: ['busy', 'The ledger is held by another program'],
  8: ['denied', 'The ledger may not be written by this user'],
  11: ['damaged', 'The ledger is damaged'],
  13: ['full', 'There is no space left for the ledger'],
  14: ['denied', 'The ledger cannot be opened: does its folder exist, and may this user write there?'],
  26: ['damaged', 'The file named as ledger is not an SQLite database'],
};

/** What SQLite threw, in our words; what is none of its errors stays as it is. */
export function fromSqliteError(error: unknown): unknown {
  const code = codeOf(error);
  if (code === undefined) return error;
  const [kind, text] = kinds[code] ?? ['failed', 'The ledger failed'];
  const message = error instanceof Error ? error.message : String(error);
  return new LedgerError(kind, `${text} (${message}).`, error);
}

export const isBusy = (error: unknown) => codeOf(error) === 5;

/** The low byte of an extended code is the primary one. */
function codeOf(error: unknown): number | undefined {
  if (!(error instanceof Error) || !('errcode' in error)) return undefined;
  return typeof error.errcode === 'number' ? error.errcode & 255 : undefined;
}
