import { ownerNamesFor } from '../base/owners.ts';
import type { RemovalReason, Upload } from '../base/upload-records.ts';
import { LedgerError } from '../ledger/contract/ledger.ts';
import { deletePendingBlobs } from './blobs/delete-pending.ts';
import type { UploadServices } from './services.ts';
import { toStorageRefusal } from './storage-refusal.ts';

/** Uploads erased per ledger transaction. */
const ERASE_BATCH = 500;

export interface RemovalRequest {
  readonly ids: readonly string[];
  /** Removes only uploads of these owners. */
  readonly owners?: readonly string[];
  readonly reason: RemovalReason;
  /** The person or rule behind the removal, in words. Kept in the removal record. */
  readonly detail: string;
  /** Leaves no removal record. */
  readonly withoutRecord?: boolean;
  /** Deletes the bytes at once, also if there is a trash. */
  readonly forGood?: boolean;
}

type RemoveServices = Pick<
  UploadServices,
  'ledger' | 'blobs' | 'rules' | 'fileCache' | 'clock' | 'log' | 'metrics'
>;

/**
 * Removes uploads from the ledger, with a record of the reason, and then their bytes. Files that a person deletes are kept in the
 * trash for `retention.trash`. Ignores unknown ids. If bytes cannot be deleted now, the removal still succeeds, and their deletion is
 * tried again later.
 */
export async function removeUploads(services: RemoveServices, request: RemovalRequest): Promise<Upload[]> {
  const { ledger, fileCache, clock, log, metrics } = services;
  const { reason, detail } = request;
  const now = clock();
  const trashMs = trashMsFor(services, request);
  const restorable = trashMs > 0 ? { restorableUntil: now + trashMs } : {};
  const { forGood: _forGood, ...removal } = request;
  const removed = await ledger.remove({ ...removal, now, ...restorable }).catch((error: unknown) => {
    throw toStorageRefusal(error);
  });
  for (const { locator } of removed) fileCache.invalidate(locator);
  for (const { id, owner, size } of removed) {
    log.info({ id, owner, reason, detail }, 'upload removed');
    metrics.uploadsRemoved(reason, 1, size);
  }
  await deletePendingBlobs(services);
  return removed;
}

/** Returns the milliseconds for which removed files can be restored; 0 = they cannot be restored. */
export function trashMsFor(
  { rules }: Pick<UploadServices, 'rules'>,
  { reason, forGood = false }: Pick<RemovalRequest, 'reason' | 'forGood'>,
): number {
  return reason === 'deleted' && !forGood ? (rules().trashMs ?? 0) : 0;
}

/** Removes the upload with this locator, whatever its state. Returns false if there is none. */
export async function removeByLocator(
  services: RemoveServices,
  locator: string,
  detail: string,
): Promise<boolean> {
  const upload = await services.ledger.find(locator);
  if (upload === undefined) return false;
  return (await removeUploads(services, { ids: [upload.id], reason: 'deleted', detail })).length > 0;
}

/**
 * Removes all stored files of an owner, including those under the hash of its JID, and keeps a record of each. Slots in use and
 * the counters of its rate limits stay.
 */
export async function removeFilesOf(
  services: RemoveServices,
  owner: string,
  request: Omit<RemovalRequest, 'ids'>,
): Promise<{ readonly removed: number; readonly bytes: number }> {
  let removed = 0;
  let bytes = 0;
  for (const name of ownerNamesFor(owner)) {
    for (let after: string | undefined; ; ) {
      const page = await services.ledger.listUploads({
        owner: name,
        state: 'stored',
        limit: ERASE_BATCH,
        ...(after !== undefined && { after }),
      });
      after = page.at(-1)?.id;
      if (page.length > 0) {
        const uploads = await removeUploads(services, { ...request, ids: page.map(({ id }) => id) });
        removed += uploads.length;
        bytes += uploads.reduce((sum, { size }) => sum + size, 0);
      }
      if (page.length < ERASE_BATCH) break;
    }
  }
  return { removed, bytes };
}

/** Returns true for a removal of more than a tenth of all files, which an admin has to confirm. */
export function isLargeRemoval(removed: number, total: number): boolean {
  return removed > total / 10;
}

/**
 * Removes all uploads of an owner, including those under the hash of its JID, and erases the owner from every record.
 * Returns the number of removed uploads.
 */
export async function eraseOwner(
  services: RemoveServices,
  owner: string,
  onProgress: (removed: number, left: number) => void = () => {},
  { withoutRecord = false }: { readonly withoutRecord?: boolean } = {},
): Promise<number> {
  let removed = 0;
  for (const name of ownerNamesFor(owner)) {
    for (let left = 1, batch = ERASE_BATCH; left > 0; ) {
      const { result, limit } = await runBatch(batch, (size) =>
        services.ledger.forget({ owner: name, limit: size, now: services.clock(), withoutRecord }),
      );
      for (const locator of result.locators) services.fileCache.invalidate(locator);
      services.metrics.uploadsRemoved('forgotten', result.removed, result.bytes);
      removed += result.removed;
      left = result.left;
      batch = limit;
      await deletePendingBlobs(services);
      onProgress(removed, left);
    }
  }
  services.log.info({ uploads: removed }, 'all data of an owner erased');
  return removed;
}

/**
 * Runs one batch of removals. If the ledger's disk is too full for it, repeats it with a smaller `limit`. Returns the limit
 * that fitted, for the next batches.
 */
export async function runBatch<T>(
  limit: number,
  work: (limit: number) => Promise<T>,
): Promise<{ readonly result: T; readonly limit: number }> {
  for (let current = limit; ; current = Math.ceil(current / 8)) {
    try {
      return { result: await work(current), limit: current };
    } catch (error) {
      const isFull = error instanceof LedgerError && error.kind === 'full';
      if (!isFull || current === 1) throw error;
    }
  }
}
