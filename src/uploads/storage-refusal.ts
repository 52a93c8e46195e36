import { Refusal } from '../base/errors.ts';
import { BlobError } from '../blobs/contract.ts';
import { LedgerError } from '../ledger/contract/ledger.ts';

/**
 * Turns the store errors that an end user can act on into a `Refusal`: a full disk, and a ledger that `porter move` has
 * closed. Returns every other error as it is.
 */
export function toStorageRefusal(error: unknown): unknown {
  if (!(error instanceof BlobError || error instanceof LedgerError)) return error;
  if (error.kind === 'full') return new Refusal('storage_full', { cause: error });
  if (error.kind !== 'moved') return error;
  const text = 'The files are moving to another storage. Try again in a few minutes.';
  return new Refusal('unavailable', { text, cause: error });
}
