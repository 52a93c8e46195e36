export type LedgerFaultKind =
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
 * `Standing` does not allow what was asked.
 */
export class LedgerFault extends Error {
  readonly kind: LedgerFaultKind;

  constructor(kind: LedgerFaultKind, message: string, cause?: unknown) {
    super(message, { cause });
    this.name = 'LedgerFault';
    this.kind = kind;
  }
}
