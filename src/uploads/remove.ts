import { ownerNamesFor } from '../base/owners.ts';
import type { RemovalReason, Upload } from '../base/upload-records.ts';
import type { UploadServices } from './services.ts';
import { toStorageRefusal } from './storage-refusal.ts';

/** Blobs are unlinked in batches of this many. */
const BURIED_AT_ONCE = 500;
const FORGOTTEN_AT_ONCE = 500;

export interface RemovalRequest {
  readonly ids: readonly string[];
  readonly reason: RemovalReason;
  /** Who or which rule, in words; kept on record. */
  readonly detail: string;
}

/** Removes uploads: first from the ledger, with a record of the reason, then their bytes. Unknown ids are passed over. */
export async function removeUploads(deps: UploadServices, order: RemovalRequest): Promise<Upload[]> {
  const removed = await deps.ledger.remove({ ...order, now: deps.clock() }).catch((failure: unknown) => {
    throw toStorageRefusal(failure);
  });
  for (const { locator } of removed) deps.fileCache.invalidate(locator);
  for (const upload of removed) {
    deps.log.info(
      { id: upload.id, owner: upload.owner, reason: order.reason, detail: order.detail },
      'removed',
    );
    deps.metrics.uploadsRemoved(order.reason, 1, upload.size);
  }
  await deletePendingBlobs(deps);
  return removed;
}

/** Removes the upload that a GET would find by this locator, whatever its state. False where there is none. */
export async function removeByLocator(
  deps: UploadServices,
  locator: string,
  detail: string,
): Promise<boolean> {
  const upload = await deps.ledger.find(locator);
  if (upload === undefined) return false;
  return (await removeUploads(deps, { ids: [upload.id], reason: 'deleted', detail })).length > 0;
}

/**
 * Removes everything that an owner ever uploaded, under its name or its hash, and its name from every record.
 * Returns how many went.
 */
export async function eraseOwner(
  deps: UploadServices,
  owner: string,
  progress: (removed: number, left: number) => void = () => {},
): Promise<number> {
  let removed = 0;
  for (const name of ownerNamesFor(owner)) {
    for (let left = 1; left > 0; ) {
      const step = await deps.ledger.forget({ owner: name, limit: FORGOTTEN_AT_ONCE, now: deps.clock() });
      removed += step.removed;
      left = step.left;
      await deletePendingBlobs(deps);
      progress(removed, left);
    }
  }
  deps.log.info({ uploads: removed }, 'an owner was forgotten');
  deps.metrics.uploadsRemoved('forgotten', removed, 0);
  return removed;
}

/**
 * Unlinks the bytes of removed uploads. The ledger names them until they are gone, so a kill in between
 * leaves nothing behind for ever.
 */
export async function deletePendingBlobs(deps: Pick<UploadServices, 'ledger' | 'blobs'>): Promise<number> {
  let buried = 0;
  for (;;) {
    const keys = await deps.ledger.pendingDeletes(BURIED_AT_ONCE);
    if (keys.length === 0) return buried;
    await deps.blobs.remove(keys);
    await deps.ledger.confirmDeleted(keys);
    buried += keys.length;
  }
}
