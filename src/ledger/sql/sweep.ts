import { KEEP_REFUSALS_MS, KEEP_USAGE_MS, type SweepResult, type SweepStep } from '../contract/ledger.ts';
import { abandonedClaimSql, resetToIssued } from './claims/claims.ts';
import { pauseAbandoned } from './claims/resumable-uploads.ts';
import type { Database, Queryable, SqlValue } from './database.ts';
import {
  removalCauses,
  removeSelected,
  type UploadSelection,
  unusedSlots,
  uploadsPastExpiry,
  uploadsPastMaxAge,
} from './expiry.ts';
import { adjustRemovalCount } from './quota/accounts.ts';
import { sweepSoftQuota } from './quota/soft-quota.ts';
import { addPendingBlobs, type RemovalCause, recordRemovals } from './remove.ts';
import type { UploadRow } from './rows.ts';

/** Implements `UploadStore.sweep`. A dry run reads committed rows without a transaction. */
export async function runSweepStep(db: Database, step: SweepStep): Promise<SweepResult> {
  if (step.dryRun) return await runStep(db, step);
  return await db.transaction((q) => runStep(q, step), 'durable', 'open', { freesSpace: true });
}

async function runStep(q: Queryable, step: SweepStep): Promise<SweepResult> {
  const { now, limit } = step;
  switch (step.kind) {
    case 'unused':
      return await sweepUploads(q, step, unusedSlots(now), removalCauses.unused(now));
    case 'expires_at':
      return await sweepUploads(q, step, uploadsPastExpiry(now), removalCauses.expired(now));
    case 'max_age': {
      const { purpose, maxAge } = step;
      const cause = removalCauses.maxAge(now, maxAge, purpose);
      return await sweepUploads(q, step, uploadsPastMaxAge(purpose, now - maxAge), cause);
    }
    case 'dead_claims':
      return await sweepDeadClaims(q, step);
    case 'soft_quota':
      return await sweepSoftQuota(q, step);
    case 'records':
      return await sweepRecords(q, step);
    case 'refusals':
      return await sweepRows(q, step, {
        table: 'refusals',
        key: 'owner, endpoint, code, upload_id',
        where: 'is_denied in (0, 1) and last_at <= $1',
        params: [now - KEEP_REFUSALS_MS],
        limit,
      });
    case 'trash':
    case 'quarantine':
      return await sweepKeptFiles(q, step.kind, step);
    case 'usage_history':
    case 'daily_counts':
    case 'hook_calls':
      return await sweepRows(q, step, {
        table: step.kind,
        ...HISTORIES[step.kind],
        params: [now - KEEP_USAGE_MS],
        limit,
      });
    case 'audit':
      return await sweepRows(q, step, {
        table: 'audit',
        key: 'id',
        where: 'at <= $1',
        params: [step.recordedBefore],
        limit,
      });
    case 'upload_rates':
    case 'message_rates':
    case 'idempotency_keys':
    case 'web_sessions':
    case 'web_tokens':
    case 'sign_in_links':
    case 'guest_links':
      return await sweepRows(q, step, { table: step.kind, ...EXPIRING[step.kind], params: [now], limit });
  }
}

/** Tables whose rows are kept for `KEEP_USAGE_MS`. */
const HISTORIES = {
  usage_history: { key: 'at', where: 'at <= $1' },
  daily_counts: { key: 'day', where: 'day <= $1' },
  hook_calls: { key: 'hook', where: 'at <= $1' },
};

/** Tables whose rows contain their expiry time. */
const EXPIRING = {
  upload_rates: { key: 'owner_id, width, start_at', where: 'ends_at <= $1' },
  message_rates: { key: 'key, width', where: 'ends_at <= $1' },
  idempotency_keys: { key: 'owner, key', where: 'expires_at <= $1' },
  web_sessions: { key: 'secret_hash', where: 'expires_at <= $1' },
  web_tokens: { key: 'id', where: 'expires_at <= $1' },
  sign_in_links: { key: 'browser_hash', where: 'expires_at <= $1' },
  guest_links: { key: 'id', where: 'expires_at <= $1' },
};

async function sweepUploads(
  q: Queryable,
  { limit, dryRun }: SweepStep,
  selection: UploadSelection,
  cause: RemovalCause,
): Promise<SweepResult> {
  if (dryRun) return await countUploads(q, selection, limit);
  return tally(await removeSelected(q, selection, limit, cause));
}

async function countUploads(q: Queryable, selection: UploadSelection, limit: number): Promise<SweepResult> {
  const { where, order, params } = selection;
  const [counted] = await q.query<SweepResult>(
    `select count(*) as count, cast(coalesce(sum(size), 0) as bigint) as bytes from (
       select size from uploads where ${where} order by ${order} limit $${params.length + 1}) as batch`,
    [...params, limit],
  );
  return { count: counted?.count ?? 0, bytes: counted?.bytes ?? 0 };
}

/**
 * Releases claims of processes that have ended. If its deadline has not passed, a slot returns to `issued`, and a resumable upload
 * keeps its bytes. Other slots, and uploads that were reserved by their PUT, are deleted.
 */
async function sweepDeadClaims(
  q: Queryable,
  step: SweepStep & { kind: 'dead_claims' },
): Promise<SweepResult> {
  const { now, limit, ledgerTime = null } = step;
  const where = abandonedClaimSql(q, '$1');
  const selection: UploadSelection = {
    state: 'receiving',
    where,
    order: 'claimed_at',
    params: [ledgerTime],
  };
  if (step.dryRun) return await countUploads(q, selection, limit);
  const rows = await q.query<UploadRow>(`select * from uploads where ${where} order by claimed_at limit $2`, [
    ledgerTime,
    limit,
  ]);
  const deleted: UploadRow[] = [];
  let released = 0;
  for (const row of rows) {
    const isInTime = row.deadline > now;
    if (isInTime && row.resource_key !== null) released += await pauseAbandoned(q, row);
    else if (isInTime && row.reserved_by_put === 0) released += await resetToIssued(q, row);
    else deleted.push(...(await deleteClaimed(q, row)));
  }
  await recordRemovals(q, deleted, removalCauses.unused(now));
  const { count, bytes } = tally(deleted);
  return { count: count + released, bytes };
}

async function deleteClaimed(q: Queryable, row: UploadRow): Promise<UploadRow[]> {
  return await q.query<UploadRow>(
    "delete from uploads where id = $1 and claim_token = $2 and state = 'receiving' returning *",
    [row.id, row.claim_token],
  );
}

async function sweepRecords(q: Queryable, step: SweepStep & { kind: 'records' }): Promise<SweepResult> {
  const swept = await sweepRows(q, step, {
    table: 'removals',
    key: 'locator, removed_at, id',
    where: 'tombstone = 0 and removed_at <= $1',
    params: [step.removedBefore],
    limit: step.limit,
  });
  if (!step.dryRun) await adjustRemovalCount(q, -swept.count);
  return swept;
}

/** Deletes files from the trash or the quarantine whose `purge_at` has passed. */
async function sweepKeptFiles(
  q: Queryable,
  table: 'trash' | 'quarantine',
  { now, limit, dryRun }: SweepStep,
): Promise<SweepResult> {
  const batch = `select id from ${table} where purge_at <= $1 order by purge_at limit $2`;
  const rows = await q.query<{ blob: string | null; size: number }>(
    dryRun
      ? `select blob, size from ${table} where id in (${batch})`
      : `delete from ${table} where id in (${batch}) returning blob, size`,
    [now, limit],
  );
  if (!dryRun)
    await addPendingBlobs(
      q,
      rows.map(({ blob }) => blob).filter((blob) => blob !== null),
    );
  return { count: rows.length, bytes: rows.reduce((sum, { size }) => sum + size, 0) };
}

async function sweepRows(
  q: Queryable,
  { dryRun }: SweepStep,
  rows: { table: string; key: string; where: string; params: SqlValue[]; limit: number },
): Promise<SweepResult> {
  const { table, key, where } = rows;
  const params = [...rows.params, rows.limit];
  const batch = `select ${key} from ${table} where ${where} limit $${params.length}`;
  if (dryRun) {
    const [row] = await q.query<{ count: number }>(
      `select count(*) as count from (${batch}) as batch`,
      params,
    );
    return { count: row?.count ?? 0, bytes: 0 };
  }
  const deleted = await q.query(
    `delete from ${table} where (${key}) in (${batch}) returning 1 as one`,
    params,
  );
  return { count: deleted.length, bytes: 0 };
}

function tally(rows: readonly UploadRow[]): SweepResult {
  return { count: rows.length, bytes: rows.reduce((sum, { size }) => sum + size, 0) };
}
