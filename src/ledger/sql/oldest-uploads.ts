import type { Queryable } from './database.ts';
import { listOwnerUploads } from './owner-uploads.ts';
import type { UploadRow } from './rows.ts';

/** One new upload seldom takes the place of more. */
const FIRST_PAGE = 20;
const PAGE = 200;

/**
 * An owner's stored uploads of some purposes, the oldest first: by when their slots were made. Ids say the second of that;
 * what came within one second is in order as far as it is on one page.
 */
export async function* oldestUploads(
  q: Queryable,
  ownerId: number,
  purposes: readonly string[],
): AsyncGenerator<UploadRow, void> {
  let after = '';
  for (let limit = FIRST_PAGE; ; limit = PAGE) {
    const page = await listOwnerUploads(q, { ownerId, purposes, after, limit });
    yield* page.toSorted((a, b) => a.created_at - b.created_at);
    const last = page.at(-1);
    if (!last || page.length < limit) return;
    after = last.id;
  }
}
