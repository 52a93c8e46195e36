/**
 * | kind | cause |
 * |---|---|
 * | `full` | The disk or the database server has no space. |
 * | `denied` | The user of this process may not open, read or write the database. |
 * | `busy` | Other transactions or programs hold the database for too long. |
 * | `unreachable` | The database server does not answer, or is starting or stopping. |
 * | `newer` | A newer version of Porter has migrated the schema. |
 * | `moved` | The ledger's `MigrationState` does not allow this method. |
 * | `damaged` | The file or its content is not valid. |
 * | `closed` | `close` was called. |
 * | `unknown_outcome` | The change may or may not have taken effect, now or later. Ask for the rows, and delete no bytes. |
 * | `failed` | Any other failure. |
 */
export type LedgerErrorKind =
  | 'full'
  | 'denied'
  | 'busy'
  | 'unreachable'
  | 'newer'
  | 'moved'
  | 'damaged'
  | 'closed'
  | 'unknown_outcome'
  | 'failed';

/** A failure of the ledger. `cause` is the error of the engine or the driver. */
export class LedgerError extends Error {
  readonly kind: LedgerErrorKind;

  constructor(kind: LedgerErrorKind, message: string, cause?: unknown) {
    super(message, { cause });
    this.name = 'LedgerError';
    this.kind = kind;
  }
}
