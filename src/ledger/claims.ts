import type { Upload } from '../base/records.ts';
import { adjustRest, type Delta } from './accounts.ts';
import { type Claimed, type ClaimOrder, type CommitOrder, type ReleaseOrder, SILENT_MS } from './contract.ts';
import type { Queryable } from './database.ts';
import { causes } from './endings.ts';
import { correctRates } from './rates.ts';
import { book, voidRow } from './removal.ts';
import { byLocator, type OwnedRow, selectUploads, type UploadRow, uploadOf } from './rows.ts';

/** `receiving`, by a process that has shown no life since `$n`: neither a heartbeat nor this very claim. */
export const abandonedSince = (param: string) =>
  `state = 'receiving' and claimed_at <= ${param} and not exists (
     select 1 from instances where instances.id = uploads.instance and instances.seen_at > ${param})`;

/** See `Ledger.claim`. */
export async function claim(q: Queryable, order: ClaimOrder): Promise<Claimed> {
  const row = await look(q, order.by);
  if (!row) return { outcome: 'unknown' };
  if (row.state === 'stored') return { outcome: 'stored', upload: uploadOf(row, row.owner) };
  if (row.deadline <= order.now) return { outcome: 'unknown' };
  if (await hold(q, row.id, order)) {
    const upload: Upload = { ...uploadOf(row, row.owner), state: 'receiving' };
    return { outcome: 'claimed', upload };
  }
  return await lost(q, order.by);
}

async function look(q: Queryable, by: ClaimOrder['by']): Promise<OwnedRow | undefined> {
  const [row] =
    'putKey' in by
      ? await q.query<OwnedRow>(`${selectUploads} where uploads.put_key = $1`, [by.putKey])
      : await q.query<OwnedRow>(`${selectUploads} where ${byLocator}`, [by.locator]);
  return row;
}

async function hold(q: Queryable, id: string, order: ClaimOrder): Promise<boolean> {
  const { token, instance, now } = order;
  const held = await q.query(
    `update uploads set state = 'receiving', claim = $2, instance = $3, claimed_at = $4, touched = 1
      where id = $1 and (state = 'issued' or (${abandonedSince('$5')})) returning id`,
    [id, token, instance, now, now - SILENT_MS],
  );
  return held.length === 1;
}

/** Somebody else was quicker; how far have they come? */
async function lost(q: Queryable, by: ClaimOrder['by']): Promise<Claimed> {
  const row = await look(q, by);
  if (!row || row.state === 'issued') return { outcome: 'unknown' };
  return { outcome: row.state, upload: uploadOf(row, row.owner) };
}

async function held(
  q: Queryable,
  { id, token }: { id: string; token: string },
): Promise<UploadRow | undefined> {
  const [row] = await q.query<UploadRow>(
    "select * from uploads where id = $1 and claim = $2 and state = 'receiving'",
    [id, token],
  );
  return row;
}

/** See `Ledger.commit`. */
export async function commit(q: Queryable, order: CommitOrder): Promise<boolean> {
  const row = await held(q, order);
  if (!row) return false;
  const { size, now } = order;
  const stored = await q.query(
    `update uploads set state = 'stored', stored_at = $3, size = $4, claim = null, instance = null,
       claimed_at = null where id = $1 and claim = $2 and state = 'receiving' returning id`,
    [order.id, order.token, now, size],
  );
  if (stored.length === 0) return false;
  const delta: Delta = { uploads: 1, bytes: size, pendingUploads: -1, pendingBytes: -row.size };
  await q.query(
    `update owners set uploads = uploads + 1, bytes = bytes + $2, pending_uploads = pending_uploads - 1,
       pending_bytes = pending_bytes - $3, last_upload_at = $4 where id = $1`,
    [row.owner_id, size, row.size, now],
  );
  await adjustRest(q, row.owner_id, row.purpose, delta);
  if (size !== row.size) await correctRates(q, row, 0, size - row.size);
  return true;
}

/** See `Ledger.release`. */
export async function release(q: Queryable, order: ReleaseOrder): Promise<boolean> {
  const row = await held(q, order);
  if (!row) return false;
  if (row.claimed_with === 0) return (await letGo(q, row)) === 1;
  const gone = await q.query(
    "delete from uploads where id = $1 and claim = $2 and state = 'receiving' returning id",
    [order.id, order.token],
  );
  if (gone.length === 1) await voidRow(q, row);
  return gone.length === 1;
}

/** receiving -> issued. How many rows it was: one, or none where the claim is another's by now. */
export async function letGo(q: Queryable, row: UploadRow): Promise<number> {
  const rows = await q.query(
    `update uploads set state = 'issued', claim = null, instance = null, claimed_at = null
      where id = $1 and claim = $2 and state = 'receiving' returning id`,
    [row.id, row.claim],
  );
  return rows.length;
}

/**
 * Clears a locator that is only held by a slot nobody can fill any more: past its deadline, and without a PUT or
 * with one whose process is gone.
 */
export async function voidIfOver(q: Queryable, row: UploadRow, now: number): Promise<boolean> {
  if (row.state === 'stored' || row.deadline > now) return false;
  const [over] = await q.query<UploadRow>(
    `delete from uploads where id = $1 and (state = 'issued' or (${abandonedSince('$2')})) returning *`,
    [row.id, now - SILENT_MS],
  );
  if (!over) return false;
  await book(q, [over], causes.unused(now));
  return true;
}
