import { dirname } from 'node:path';
import { LedgerError, type LedgerErrorKind } from '../contract/ledger.ts';

/** Fields of an error text. `reason` is the message of SQLite. */
interface Details {
  readonly file: string;
  readonly reason: string;
  readonly user: string;
}

type Text = (details: Details) => string;

const notWritable: Text = ({ file, reason, user }) =>
  `Cannot write to the ledger ${file} (${reason}, running as ${user}). Run: chown -R ${chownUser()} ${dirname(file)}`;
const busy: Text = ({ file, reason }) =>
  `Another program holds the ledger ${file} (${reason}). Stop that program, or try again later.`;

/** Primary result codes of SQLite (https://sqlite.org/rescode.html). */
const ERRORS: Readonly<Record<number, readonly [LedgerErrorKind, Text]>> = {
  3: ['denied', notWritable],
  5: ['busy', busy],
  6: ['busy', busy],
  8: ['denied', notWritable],
  10: [
    'failed',
    ({ file, reason }) =>
      `The disk of the ledger ${file} reports an error (${reason}). Check the disk and the system log, then run: porter fsck`,
  ],
  11: [
    'damaged',
    ({ file, reason }) => `The ledger ${file} is damaged (${reason}). Restore it from a backup.`,
  ],
  13: [
    'full',
    ({ file, reason }) => `The disk of the ledger ${file} is full (${reason}). Free some space on it.`,
  ],
  14: [
    'denied',
    ({ file, reason, user }) =>
      `Cannot open the ledger ${file} (${reason}, running as ${user}). ` +
      `Check that it is a file, and run: chown -R ${chownUser()} ${dirname(file)}`,
  ],
  26: [
    'damaged',
    ({ file, reason }) =>
      `The file ${file} is not an SQLite database (${reason}). Check storage.ledger in the config.`,
  ],
};

/** Converts an error of SQLite to a `LedgerError` with cause and remedy. Returns other errors unchanged. */
export function fromSqliteError(error: unknown, file: string): unknown {
  const code = codeOf(error);
  if (code === undefined) return error;
  const reason = error instanceof Error ? error.message : String(error);
  const [kind, text] = ERRORS[code] ?? [
    'failed',
    () => `The ledger ${file} failed (${reason}). Start Porter again, and check the data with: porter fsck`,
  ];
  return new LedgerError(kind, text({ file, reason, user: userName() }), error);
}

export const isBusy = (error: unknown) => codeOf(error) === 5;

/** Returns the error of a folder that could not be created for the ledger. */
export function folderError(folder: string, cause: unknown): LedgerError {
  const code = cause instanceof Error && 'code' in cause ? cause.code : cause;
  return new LedgerError(
    'denied',
    `Cannot create the folder ${folder} of the ledger (${code}, running as ${userName()}). ` +
      'Create it, and make this user its owner.',
    cause,
  );
}

const userName = () => `uid ${process.getuid?.() ?? 'unknown'}`;
const chownUser = () => process.getuid?.() ?? 'USER';

/** Returns the primary result code, which is the low byte of an extended code. */
function codeOf(error: unknown): number | undefined {
  if (!(error instanceof Error) || !('errcode' in error)) return undefined;
  return typeof error.errcode === 'number' ? error.errcode & 255 : undefined;
}
