import type { BegunDelete, FailedDelete, PostponedDelete } from '../../contract/ledger.ts';
import { chunks, inList, type Queryable } from '../database.ts';

/** Implements `UploadStore.pendingDeletes`. */
export async function queryPendingDeletes(
  q: Queryable,
  { now, limit }: { readonly now: number; readonly limit: number },
): Promise<string[]> {
  const rows = await q.query<{ blob: string }>(
    'select blob from pending_deletes where retry_at <= $1 order by retry_at limit $2',
    [now, limit],
  );
  return rows.map(({ blob }) => blob);
}

/**
 * Implements `UploadStore.beginDeletes`. The removal of an upload may have been lazy. Its durable commit flushes all earlier
 * ones, and SQLite flushes only a commit that changes something.
 */
export async function countDeleteAttempts(q: Queryable, blobs: readonly string[]): Promise<BegunDelete[]> {
  const begun: BegunDelete[] = [];
  // In sorted order, so that concurrent transactions cannot deadlock.
  for (const chunk of chunks(blobs.toSorted())) {
    const sql = `update pending_deletes set attempts = attempts + 1 where blob in ${inList(chunk.length)}
      returning blob, attempts`;
    begun.push(...(await q.query<BegunDelete>(sql, chunk)));
  }
  return begun.map((one) => ({ ...one }));
}

/** Implements `UploadStore.confirmDeleted`. */
export async function clearPendingDeletes(q: Queryable, blobs: readonly string[]): Promise<void> {
  for (const chunk of chunks(blobs.toSorted())) {
    await q.query(`delete from pending_deletes where blob in ${inList(chunk.length)}`, chunk);
  }
}

/** Implements `UploadStore.postponeDeletes`. */
export async function postponePendingDeletes(
  q: Queryable,
  failures: readonly PostponedDelete[],
): Promise<void> {
  const sorted = failures.toSorted((a, b) => (a.blob < b.blob ? -1 : 1));
  for (const { blob, retryAt, reason } of sorted) {
    await q.query('update pending_deletes set retry_at = $2, last_error = $3 where blob = $1', [
      blob,
      retryAt,
      reason,
    ]);
  }
}

/** Implements `UploadStore.failedDeletes`. */
export async function queryFailedDeletes(q: Queryable, limit: number): Promise<FailedDelete[]> {
  const rows = await q.query<FailedDelete>(
    `select blob, attempts, retry_at as "retryAt", last_error as reason from pending_deletes
      where retry_at > 0 order by retry_at limit $1`,
    [limit],
  );
  return rows.map((row) => ({ ...row }));
}
