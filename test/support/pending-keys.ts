import type { Ledger } from '../../src/ledger/contract/ledger.ts';

/** Returns the keys of blobs that remain to be deleted, whenever their next attempt is due. */
export async function pendingKeys(ledger: Pick<Ledger, 'pendingDeletes'>, limit = 9): Promise<string[]> {
  return await ledger.pendingDeletes({ now: Number.MAX_SAFE_INTEGER, limit });
}
