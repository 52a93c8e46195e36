import type { Upload } from '../../base/upload-records.ts';
import {
  type ClaimParams,
  type ClaimResult,
  type CommitParams,
  HEARTBEAT_TIMEOUT_MS,
  type ReleaseParams,
} from '../contract/ledger.ts';
import type { Queryable } from './database.ts';
import { removalCauses } from './expiry.ts';
import { adjustPurposeAndTotals, type UsageDelta } from './quota/accounts.ts';
import { correctUploadRates } from './quota/upload-rates.ts';
import { discardUpload, recordRemovals } from './remove.ts';
import { SELECT_UPLOADS, toUpload, type UploadRow, type UploadRowWithOwner, WHERE_LOCATOR } from './rows.ts';

/** `receiving`, by a process that has shown no life since `$n`: neither a heartbeat nor this very claim. */
export const abandonedClaimSql = (param: string) =>
  `state = 'receiving' and claimed_at <= ${param} and not exists (
     select 1 from instances where instances.id = uploads.instance and instances.seen_at > ${param})`;

/** See `Ledger.claim`. */
export async function claimSlot(q: Queryable, order: ClaimParams): Promise<ClaimResult> {
  const row = await look(q, order.by);
  if (!row) return { outcome: 'unknown' };
  if (row.state === 'stored') return { outcome: 'stored', upload: toUpload(row, row.owner) };
  if (row.deadline <= order.now) return { outcome: 'unknown' };
  if (await hold(q, row.id, order)) {
    const upload: Upload = { ...toUpload(row, row.owner), state: 'receiving' };
    return { outcome: 'claimed', upload };
  }
  return await lost(q, order.by);
}

async function look(q: Queryable, by: ClaimParams['by']): Promise<UploadRowWithOwner | undefined> {
  const [row] =
    'putKey' in by
      ? await q.query<UploadRowWithOwner>(`${SELECT_UPLOADS} where uploads.put_key = $1`, [by.putKey])
      : await q.query<UploadRowWithOwner>(`${SELECT_UPLOADS} where ${WHERE_LOCATOR}`, [by.locator]);
  return row;
}

async function hold(q: Queryable, id: string, order: ClaimParams): Promise<boolean> {
  const { token, instance, now } = order;
  const held = await q.query(
    `update uploads set state = 'receiving', claim_token = $2, instance = $3, claimed_at = $4, may_have_bytes = 1
      where id = $1 and (state = 'issued' or (${abandonedClaimSql('$5')})) returning id`,
    [id, token, instance, now, now - HEARTBEAT_TIMEOUT_MS],
  );
  return held.length === 1;
}

/** Somebody else was quicker; how far have they come? */
async function lost(q: Queryable, by: ClaimParams['by']): Promise<ClaimResult> {
  const row = await look(q, by);
  if (!row || row.state === 'issued') return { outcome: 'unknown' };
  return { outcome: row.state, upload: toUpload(row, row.owner) };
}

async function held(
  q: Queryable,
  { id, token }: { id: string; token: string },
): Promise<UploadRow | undefined> {
  const [row] = await q.query<UploadRow>(
    "select * from uploads where id = $1 and claim_token = $2 and state = 'receiving'",
    [id, token],
  );
  return row;
}

/** See `Ledger.commit`. */
export async function commitUpload(q: Queryable, order: CommitParams): Promise<boolean> {
  const row = await held(q, order);
  if (!row) return false;
  const { size, now } = order;
  const stored = await q.query(
    `update uploads set state = 'stored', stored_at = $3, size = $4, claim_token = null, instance = null,
       claimed_at = null where id = $1 and claim_token = $2 and state = 'receiving' returning id`,
    [order.id, order.token, now, size],
  );
  if (stored.length === 0) return false;
  const delta: UsageDelta = { uploads: 1, bytes: size, pendingUploads: -1, pendingBytes: -row.size };
  await q.query(
    `update owners set uploads = uploads + 1, bytes = bytes + $2, pending_uploads = pending_uploads - 1,
       pending_bytes = pending_bytes - $3, last_upload_at = $4 where id = $1`,
    [row.owner_id, size, row.size, now],
  );
  await adjustPurposeAndTotals(q, row.owner_id, row.purpose, delta);
  if (size !== row.size) await correctUploadRates(q, row, 0, size - row.size);
  return true;
}

/** See `Ledger.release`. */
export async function releaseSlotClaim(q: Queryable, order: ReleaseParams): Promise<boolean> {
  const row = await held(q, order);
  if (!row) return false;
  if (row.reserved_by_put === 0) return (await resetToIssued(q, row)) === 1;
  const gone = await q.query(
    "delete from uploads where id = $1 and claim_token = $2 and state = 'receiving' returning id",
    [order.id, order.token],
  );
  if (gone.length === 1) await discardUpload(q, row);
  return gone.length === 1;
}

/** receiving -> issued. How many rows it was: one, or none where the claim is another's by now. */
export async function resetToIssued(q: Queryable, row: UploadRow): Promise<number> {
  const rows = await q.query(
    `update uploads set state = 'issued', claim_token = null, instance = null, claimed_at = null
      where id = $1 and claim_token = $2 and state = 'receiving' returning id`,
    [row.id, row.claim_token],
  );
  return rows.length;
}

/**
 * Clears a locator that is only held by a slot nobody can fill any more: past its deadline, and without a PUT or
 * with one whose process is gone.
 */
export async function deleteIfExpired(q: Queryable, row: UploadRow, now: number): Promise<boolean> {
  if (row.state === 'stored' || row.deadline > now) return false;
  const [over] = await q.query<UploadRow>(
    `delete from uploads where id = $1 and (state = 'issued' or (${abandonedClaimSql('$2')})) returning *`,
    [row.id, now - HEARTBEAT_TIMEOUT_MS],
  );
  if (!over) return false;
  await recordRemovals(q, [over], removalCauses.unused(now));
  return true;
}
