import { type Account, purposesOf } from './accounts.ts';
import type { Reservation } from './contract.ts';
import type { Queryable } from './database.ts';
import { excessOf, isEvictable, type Obstacle } from './obstacles.ts';
import { oldestFirst } from './oldest.ts';
import { book, deleteUploads } from './removal.ts';

export interface Eviction {
  readonly ids: readonly string[];
  readonly bytes: number;
}

/** The oldest evictable uploads that have to go, and no more: of the purpose that is full, then of the owner. */
export async function planEviction(
  q: Queryable,
  account: Account,
  r: Reservation,
  obstacles: readonly Obstacle[],
): Promise<Eviction> {
  const excess = (limit: 'purposeBytes' | 'ownerBytes') =>
    obstacles.filter((obstacle) => obstacle.limit === limit).reduce((sum, one) => sum + excessOf(one), 0);
  const ids = new Set<string>();
  let bytes = 0;
  const choose = async (purposes: readonly string[], until: number) => {
    if (bytes >= until) return;
    for await (const { id, size } of oldestFirst(q, account.id, purposes)) {
      if (ids.has(id)) continue;
      ids.add(id);
      bytes += size;
      if (bytes >= until) return;
    }
  };
  const purposes = (await purposesOf(q, account)).map(({ purpose }) => purpose);
  const takable = purposes.filter((purpose) => isEvictable(r, purpose));
  await choose(
    takable.filter((purpose) => purpose === r.upload.purpose),
    excess('purposeBytes'),
  );
  await choose(takable, excess('ownerBytes'));
  return { ids: [...ids], bytes };
}

export async function evict(q: Queryable, { ids }: Eviction, now: number): Promise<void> {
  const rows = await deleteUploads(q, ids);
  await book(q, rows, { reason: 'evicted', detail: 'made room for a newer upload', now });
}
