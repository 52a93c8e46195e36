import { Refusal } from '../base/errors.ts';
import { BlobFault } from '../blobs/contract.ts';
import { LedgerFault } from '../ledger/contract.ts';

/** A full disk is a full disk, whichever store met it: a refusal in words where it is one, else the failure itself. */
export function fullOr(failure: unknown): unknown {
  const isFull = (failure instanceof BlobFault || failure instanceof LedgerFault) && failure.kind === 'full';
  return isFull ? new Refusal('storage_full', { cause: failure }) : failure;
}
