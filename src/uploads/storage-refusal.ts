import { Refusal } from '../base/errors.ts';
import { BlobError } from '../blobs/contract.ts';
import { LedgerError } from '../ledger/contract/ledger.ts';

/**
 * What a store cannot do now, whichever store it is: a full disk, or a ledger that is being carried to another place. A
 * refusal in words where it is one of these, else the failure itself.
 */
export function toStorageRefusal(failure: unknown): unknown {
  if (!(failure instanceof BlobError || failure instanceof LedgerError)) return failure;
  if (failure.kind === 'full') return new Refusal('storage_full', { cause: failure });
  if (failure.kind !== 'moved') return failure;
  const text = 'The files are moving to another place. Try again in a few minutes.';
  return new Refusal('unavailable', { text, cause: failure });
}
