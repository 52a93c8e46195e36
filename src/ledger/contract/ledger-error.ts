export type LedgerErrorKind =
  | 'full'
  | 'denied'
  | 'busy'
  | 'newer'
  | 'moved'
  | 'damaged'
  | 'closed'
  | 'failed';

/**
 * A ledger's failure, in our words; the cause is the engine's own. `newer`: a later program has written it; `moved`: its
 * `MigrationState` does not allow what was asked.
 */
export class LedgerError extends Error {
  readonly kind: LedgerErrorKind;

  constructor(kind: LedgerErrorKind, message: string, cause?: unknown) {
    super(message, { cause });
    this.name = 'LedgerError';
    this.kind = kind;
  }
}
