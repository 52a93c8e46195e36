import type { ForgetParams, ForgetResult } from '../contract/ledger.ts';
import type { QueuedItemRef } from '../contract/messages.ts';
import { forgetQuarantine } from './content/quarantine.ts';
import type { Queryable } from './database.ts';
import { purgeTrashedUploads } from './files/trash.ts';
import { removeQueuedItem } from './messages/queue.ts';
import { deleteOwner } from './quota/accounts.ts';
import { recordRemovals } from './remove.ts';
import type { UploadRow } from './rows.ts';
import { forgetWebUser } from './web/guest-links.ts';

/** Implements `AdminStore.forget`. */
export async function forgetOwnerRows(q: Queryable, params: ForgetParams): Promise<ForgetResult> {
  const { owner, limit, now, withoutRecord = false } = params;
  // An update, because it locks the row: no other transaction can charge the owner meanwhile.
  const [row] = await q.query<{ id: number }>('update owners set name = name where name = $1 returning id', [
    owner,
  ]);
  const queuedLeft = await forgetMessages(q, owner, limit);
  await q.query('delete from refusals where owner = $1', [owner]);
  await forgetWebUser(q, owner);
  const quarantined = await forgetQuarantine(q, owner, limit);
  const waiting = queuedLeft + (quarantined === limit ? 1 : 0);
  if (!row) return { removed: 0, bytes: 0, locators: [], left: waiting };
  const removed = await q.query<UploadRow>(
    `delete from uploads where id in (
       select id from uploads where owner_id = $1 and state = 'stored' union all
       select id from uploads where owner_id = $1 and state <> 'stored' limit $2) returning *`,
    [row.id, limit],
  );
  const cause = { reason: 'forgotten', detail: '', now, anonymous: true, withoutRecord } as const;
  await recordRemovals(q, removed, cause);
  const purged = await purgeTrashedUploads(q, { owners: [owner], limit });
  await anonymizeRemovals(q, row.id, owner, Math.max(1, limit - removed.length));
  const left = (await countLeft(q, row.id)) + (purged === limit ? 1 : 0);
  if (left === 0) await deleteOwner(q, row.id);
  return {
    removed: removed.length,
    bytes: removed.reduce((sum, { size }) => sum + size, 0),
    locators: removed.map(({ id, locator }) => locator ?? id),
    left: left + waiting,
  };
}

/** Removes up to `limit` queued items of an owner, and its idempotency keys and message rates. Returns 1 if items are left, else 0. */
async function forgetMessages(q: Queryable, owner: string, limit: number): Promise<number> {
  const items = await q.query<QueuedItemRef>(
    'select queue, queue_key as "queueKey", id from queue_items where owner = $1 limit $2',
    [owner, limit],
  );
  for (const item of items) await removeQueuedItem(q, item);
  await q.query('delete from idempotency_keys where owner = $1', [owner]);
  await q.query('delete from message_rates where key = $1', [owner]);
  const more = await q.query('select 1 as one from queue_items where owner = $1 limit 1', [owner]);
  return more.length;
}

/** Removes owner and file name from up to `limit` removal records, and the owner's name from their detail (`deleted by …`). */
async function anonymizeRemovals(q: Queryable, id: number, owner: string, limit: number): Promise<void> {
  await q.query(
    `update removals set owner_id = null, name = '', detail = replace(detail, $3, '')
      where (locator, removed_at, id) in (
        select locator, removed_at, id from removals where owner_id = $1 limit $2)`,
    [id, limit, owner],
  );
}

/**
 * Returns the number of uploads, plus 1 if removal records of the owner are left. The rows decide whether uploads are left,
 * because the counter may be wrong.
 */
async function countLeft(q: Queryable, id: number): Promise<number> {
  const [uploads] = await q.query<{ counted: number }>(
    'select uploads + pending_uploads as counted from owners where id = $1',
    [id],
  );
  // Two queries, because the second condition has its own index.
  const stored = await q.query(
    "select 1 as one from uploads where owner_id = $1 and state = 'stored' limit 1",
    [id],
  );
  const pending = await q.query(
    "select 1 as one from uploads where owner_id = $1 and state <> 'stored' limit 1",
    [id],
  );
  const removals = await q.query('select 1 as one from removals where owner_id = $1 limit 1', [id]);
  const hasUploads = stored.length + pending.length > 0;
  return (hasUploads ? Math.max(1, uploads?.counted ?? 0) : 0) + removals.length;
}
