import { isSharedOwner } from '../../../base/owners.ts';
import type { SweepResult, SweepStep } from '../../contract/ledger.ts';
import { inList, type Queryable } from '../database.ts';
import { lifetimeFor, storedPurposes } from '../expiry.ts';
import { oldestUploads } from '../owner-uploads.ts';
import { deleteUploads, recordRemovals } from '../remove.ts';

type Step = SweepStep & { kind: 'soft_quota' };

interface OwnerOverQuota {
  readonly id: number;
  readonly name: string;
  readonly bytes: number;
}

const PAGE_SIZE = 100;
/** The greatest possible id of an owner. */
const MAX_OWNER_ID = 2 ** 31 - 1;

/** Removes the oldest evictable uploads of owners above the soft quota, at most `limit` in all. */
export async function sweepSoftQuota(q: Queryable, step: Step): Promise<SweepResult> {
  const purposes = (await storedPurposes(q)).filter((one) => lifetimeFor(step.lifetimes, one).evictable);
  let count = 0;
  let bytes = 0;
  for await (const owner of ownersOverQuota(q, step.bytes, purposes)) {
    const surplus = await selectSurplus(q, owner, purposes, step, step.limit - count);
    count += surplus.ids.length;
    bytes += surplus.bytes;
    if (!step.dryRun) await removeSurplus(q, surplus.ids, step);
    if (count >= step.limit) break;
  }
  return { count, bytes };
}

/** Yields owners above a number of bytes that have evictable uploads, by the index on `bytes`. Shared owners are exempt. */
async function* ownersOverQuota(
  q: Queryable,
  above: number,
  purposes: readonly string[],
): AsyncGenerator<OwnerOverQuota> {
  if (purposes.length === 0) return;
  let after: Omit<OwnerOverQuota, 'name'> = { bytes: above, id: MAX_OWNER_ID };
  for (;;) {
    const page: OwnerOverQuota[] = await q.query<OwnerOverQuota>(
      `select id, name, bytes from owners where (bytes, id) > ($1, $2) and exists (
         select 1 from uploads where state = 'stored' and owner_id = owners.id
           and purpose in ${inList(purposes.length, 4)})
        order by bytes, id limit $3`,
      [after.bytes, after.id, PAGE_SIZE, ...purposes],
    );
    yield* page.filter(({ name }) => !isSharedOwner(name));
    const last = page.at(-1);
    if (!last || page.length < PAGE_SIZE) return;
    after = last;
  }
}

async function selectSurplus(
  q: Queryable,
  owner: OwnerOverQuota,
  purposes: readonly string[],
  step: Step,
  limit: number,
): Promise<{ ids: string[]; bytes: number }> {
  const ids: string[] = [];
  let bytes = 0;
  for await (const { id, size } of oldestUploads(q, owner.id, purposes)) {
    if (ids.length >= limit || owner.bytes - bytes <= step.bytes) break;
    ids.push(id);
    bytes += size;
  }
  return { ids, bytes };
}

async function removeSurplus(q: Queryable, ids: readonly string[], step: Step): Promise<void> {
  const { detail, now } = step;
  await recordRemovals(q, await deleteUploads(q, ids), { reason: 'soft_quota', detail, now });
}
