import { backoffMs } from '../../base/backoff.ts';
import { fileKeyOfThumbnail, thumbnailKeysOf } from '../../base/blob-keys.ts';
import { systemClock } from '../../base/clock.ts';
import { BlobError, type BlobStore, type FailedRemoval } from '../../blobs/contract.ts';
import type { BegunDelete } from '../../ledger/contract/ledger.ts';
import type { BlobDeleter, UploadServices } from '../services.ts';
import { isSameStore, mayRemoveFiles } from '../store-identity/store-state.ts';

/*
 * The bytes of a removed upload. The ledger lists their key until they are deleted, so that a killed process leaves no orphaned
 * bytes behind:
 *
 *   removal ──> pending ── begin (durable) ──> delete ── confirm ──> not listed
 *                  ^                              │
 *                  └────── postpone (backoff) ────┘  after a failure, which concerns this key only
 *
 * All removals end here: sweeps, evictions, commands, DELETE requests and failed PUTs.
 */

/** Blobs deleted per ledger transaction. */
const DELETE_BATCH = 500;
/** Pauses before a failed deletion is tried again. */
const RETRIES = { firstMs: 60_000, longestMs: 6 * 3600_000 };
const MAX_REASON_LENGTH = 200;

type Stores = Pick<UploadServices, 'ledger' | 'blobs'>;
export type DeleteServices = Stores & Partial<Pick<UploadServices, 'clock' | 'log' | 'metrics'>>;

export interface DeletionResult {
  readonly deleted: number;
  /** Blobs that could not be deleted. They are tried again later. */
  readonly failed: number;
}

/**
 * Deletes the blobs of removed uploads. Never rejects: blobs that cannot be deleted stay listed and are tried again later. Deletes
 * nothing from a store that does not belong to this ledger, and nothing during and after a move of the ledger. `postponed`: also
 * tries blobs whose next attempt is not due yet.
 */
export async function deletePendingBlobs(
  services: DeleteServices,
  options: { readonly postponed?: boolean } = {},
): Promise<DeletionResult> {
  return await deleteListed(services, mayRemoveFiles, options);
}

/** Like `deletePendingBlobs`, for a target that `porter move` is still filling. */
export async function deletePendingBlobsOfTarget(target: Stores): Promise<DeletionResult> {
  return await deleteListed(target, isSameStore, {});
}

async function deleteListed(
  services: DeleteServices,
  isAllowed: (stores: Stores) => Promise<boolean>,
  { postponed = false }: { readonly postponed?: boolean },
): Promise<DeletionResult> {
  const { ledger, clock = systemClock, log } = services;
  const failed = new Set<string>();
  let deleted = 0;
  try {
    for (;;) {
      const now = clock() + (postponed ? RETRIES.longestMs : 0);
      const keys = await ledger.pendingDeletes({ now, limit: DELETE_BATCH });
      if (keys.length === 0 || !(await isAllowed(services))) break;
      const batch = await deleteBatch(services, keys);
      deleted += batch.deleted;
      for (const { key } of batch.failures) failed.add(key);
      // If no blob of a batch can be deleted, the store is probably unavailable.
      if (batch.deleted === 0) break;
    }
  } catch (err) {
    log?.error({ err }, 'the bytes of removed files cannot be deleted now; they will be tried again');
  }
  return { deleted, failed: failed.size };
}

async function deleteBatch(
  services: DeleteServices,
  keys: readonly string[],
): Promise<{ readonly deleted: number; readonly failures: readonly FailedRemoval[] }> {
  const { ledger, blobs } = services;
  const begun = await ledger.beginDeletes(keys);
  const failures = await removeBlobs(
    blobs,
    begun.map(({ blob }) => blob),
  );
  const failed = new Set(failures.map(({ key }) => key));
  const deleted = begun.filter(({ blob }) => !failed.has(blob)).map(({ blob }) => blob);
  if (deleted.length > 0) await ledger.confirmDeleted(deleted);
  if (failures.length > 0) await postpone(services, begun, failures);
  return { deleted: deleted.length, failures };
}

/** Removes blobs with their thumbnails. A file whose thumbnail cannot be removed counts as failed. */
async function removeBlobs(
  blobs: Pick<BlobStore, 'remove'>,
  keys: readonly string[],
): Promise<readonly FailedRemoval[]> {
  const withThumbnails = keys.flatMap((key) => [key, ...thumbnailKeysOf(key)]);
  const failures = await blobs.remove(withThumbnails).catch((cause: unknown) => {
    const error = cause instanceof BlobError ? cause : new BlobError('failed', String(cause), cause);
    return keys.map((key) => ({ key, error }));
  });
  const failed = new Map(failures.map(({ key, error }) => [fileKeyOfThumbnail(key) ?? key, error]));
  return [...failed].map(([key, error]) => ({ key, error }));
}

async function postpone(
  { ledger, clock = systemClock, log, metrics }: DeleteServices,
  begun: readonly BegunDelete[],
  failures: readonly FailedRemoval[],
): Promise<void> {
  const attempts = new Map(begun.map(({ blob, attempts }) => [blob, attempts]));
  const now = clock();
  const postponed = failures.map(({ key, error }) => ({
    blob: key,
    retryAt: now + backoffMs((attempts.get(key) ?? 1) - 1, RETRIES),
    reason: error.message.slice(0, MAX_REASON_LENGTH),
  }));
  metrics?.deletionsFailed(failures.length);
  const [first] = postponed;
  log?.warn(
    { files: failures.length, ...first },
    'the bytes of removed files cannot be deleted; they will be tried again, and porter fsck lists them',
  );
  await ledger.postponeDeletes(postponed);
}

/*
 *   idle ── wake ──> running ── done ──> idle
 *                     │  ▲
 *                wake │  │ done
 *                     ▼  │
 *                  running, and once more
 */

/** Creates a deleter that any number of requests may wake. Only one run is active at a time. */
export function createBlobDeleter(services: DeleteServices): BlobDeleter {
  let running: Promise<void> | undefined;
  let again = false;
  const run = async () => {
    do {
      again = false;
      await deletePendingBlobs(services);
    } while (again);
    running = undefined;
  };
  return {
    wake() {
      if (running === undefined) running = run();
      else again = true;
    },
    async idle() {
      while (running !== undefined) await running;
    },
  };
}
