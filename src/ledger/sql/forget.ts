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
  const { owner, limit } = params;
  const queuedLeft = await forgetMessages(q, owner, limit);
  await q.query('delete from refusals where owner = $1', [owner]);
  await forgetWebUser(q, owner);
  const quarantined = await forgetQuarantine(q, owner, limit);
  const uploads = await forgetUploads(q, params);
  const left = uploads.left + queuedLeft + (quarantined === limit ? 1 : 0);
  if (left === 0) await eraseMentions(q, owner);
  return { ...uploads, left };
}

/** Deletes the uploads of an owner and its name in their records, and finally the owner. */
async function forgetUploads(q: Queryable, params: ForgetParams): Promise<ForgetResult> {
  const { owner, limit, now, withoutRecord = false } = params;
  // An update, because it locks the row: no other transaction can charge the owner meanwhile.
  const [row] = await q.query<{ id: number }>('update owners set name = name where name = $1 returning id', [
    owner,
  ]);
  if (!row) return { removed: 0, bytes: 0, locators: [], left: 0 };
  const removed = await q.query<UploadRow>(
    `delete from uploads where id in (
       select id from uploads where owner_id = $1 and state = 'stored' union all
       select id from uploads where owner_id = $1 and state <> 'stored' limit $2) returning *`,
    [row.id, limit],
  );
  const cause = { reason: 'forgotten', detail: '', now, anonymous: true, withoutRecord } as const;
  await recordRemovals(q, removed, cause);
  const purged = await purgeTrashedUploads(q, { owners: [owner], limit });
  await anonymizeRemovals(q, row.id, Math.max(1, limit - removed.length));
  const left = (await countLeft(q, row.id)) + (purged === limit ? 1 : 0);
  if (left === 0) await deleteOwner(q, row.id);
  return {
    removed: removed.length,
    bytes: removed.reduce((sum, { size }) => sum + size, 0),
    locators: removed.map(({ id, locator }) => locator ?? id),
    left,
  };
}

/** Texts that may name another person than the owner of their row: who has deleted or blocked a file, or the recipient of a hook. */
const MENTIONS = [
  // Only files that a person has deleted. The index by reason finds them.
  { table: 'removals', column: 'detail', where: "reason = 'deleted'" },
  { table: 'trash', column: 'removed_by', where: 'true' },
  { table: 'blocked_hashes', column: 'blocked_by', where: 'true' },
  { table: 'blocked_hashes', column: 'reason', where: 'true' },
  { table: 'hook_calls', column: 'refusal', where: 'true' },
] as const;

/** Replaces the name of an owner in all texts, also in those about the files of others. Many rows have the same text. */
async function eraseMentions(q: Queryable, owner: string): Promise<void> {
  for (const { table, column, where } of MENTIONS) {
    const found = await q.query<{ text: string }>(
      `select distinct ${column} as text from ${table} where ${where} and replace(${column}, $1, '') <> ${column}`,
      [owner],
    );
    for (const { text } of found) {
      const erased = withoutName(text, owner);
      if (erased === text) continue;
      await q.query(`update ${table} set ${column} = $1 where ${where} and ${column} = $2`, [erased, text]);
    }
  }
}

/** Replaces a name in a text, but not a longer name that contains it, such as brian@example.org for ian@example.org. */
function withoutName(text: string, name: string): string {
  const before = /(?<![^\s"'<>()[\],;:])/.source;
  const after = /(?=$|[\s"'<>()[\],;:/!?]|\.(?:\s|$))/.source;
  return text.replace(new RegExp(before + RegExp.escape(name) + after, 'g'), 'a forgotten user');
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

/** Removes owner and file name from up to `limit` removal records. */
async function anonymizeRemovals(q: Queryable, id: number, limit: number): Promise<void> {
  await q.query(
    `update removals set owner_id = null, name = ''
      where (locator, removed_at, id) in (
        select locator, removed_at, id from removals where owner_id = $1 limit $2)`,
    [id, limit],
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
