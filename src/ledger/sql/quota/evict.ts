import type { Queryable } from '../database.ts';
import { oldestUploads } from '../owner-uploads.ts';
import { deleteUploads, recordRemovals } from '../remove.ts';
import type { UploadRow } from '../rows.ts';
import { type OwnerAccount, readPurposeBytes } from './accounts.ts';
import { excessAmount, isEvictable, type QuotaRequest, type QuotaViolation } from './violations.ts';

export interface EvictionPlan {
  readonly ids: readonly string[];
  /** Minimum number of bytes that the whole eviction frees. */
  readonly bytes: number;
  /** False if more uploads must be removed than one transaction may remove. */
  readonly isComplete: boolean;
}

export const NO_EVICTION: EvictionPlan = { ids: [], bytes: 0, isComplete: true };

/**
 * Selects as few of the oldest evictable uploads as needed, and at most `limit`: first of the purpose that is full, then of the
 * owner.
 */
export async function planEviction(
  q: Queryable,
  account: OwnerAccount,
  r: QuotaRequest,
  violations: readonly QuotaViolation[],
  limit: number,
): Promise<EvictionPlan> {
  const excess = (limit: 'purposeBytes' | 'ownerBytes' | 'ownerFiles') =>
    violations
      .filter((violation) => violation.limit === limit)
      .reduce((sum, one) => sum + excessAmount(one), 0);
  const ids = new Set<string>();
  let bytes = 0;
  let isComplete = true;
  const select = async (purposes: readonly string[], until: { bytes: number; files: number }) => {
    const isEnough = () => bytes >= until.bytes && ids.size >= until.files;
    if (isEnough()) return;
    for await (const { id, size } of oldestUploads(q, account.id, purposes)) {
      if (ids.has(id)) continue;
      if (ids.size === limit) {
        isComplete = false;
        return;
      }
      ids.add(id);
      bytes += size;
      if (isEnough()) return;
    }
  };
  const purposes = (await readPurposeBytes(q, account)).map(({ purpose }) => purpose);
  const evictable = purposes.filter((purpose) => isEvictable(r, purpose));
  await select(
    evictable.filter((purpose) => purpose === r.upload.purpose),
    { bytes: excess('purposeBytes'), files: 0 },
  );
  await select(evictable, { bytes: excess('ownerBytes'), files: excess('ownerFiles') });
  const needed = Math.max(excess('purposeBytes'), excess('ownerBytes'));
  return { ids: [...ids], bytes: isComplete ? bytes : needed, isComplete };
}

export async function evictUploads(q: Queryable, { ids }: EvictionPlan, now: number): Promise<UploadRow[]> {
  const rows = await deleteUploads(q, ids);
  await recordRemovals(q, rows, { reason: 'evicted', detail: 'made room for a newer upload', now });
  return rows;
}
