import type { Queryable } from './database.ts';
import { forgetMessages } from './forget-messages.ts';
import { deleteOwner } from './quota/accounts.ts';
import { recordRemovals } from './remove.ts';
import type { UploadRow } from './rows.ts';

interface Order {
  readonly owner: string;
  readonly limit: number;
  readonly now: number;
}

/** See `Ledger.forget`. `left` counts uploads, and one more each while records still bear the owner's name and while messages of it wait. */
export async function forgetOwnerRows(
  q: Queryable,
  order: Order,
): Promise<{ removed: number; left: number }> {
  const { owner, limit, now } = order;
  // An update, because it locks the row: nobody charges an owner who is about to go.
  const [row] = await q.query<{ id: number }>('update owners set name = name where name = $1 returning id', [
    owner,
  ]);
  const post = await forgetMessages(q, owner, limit);
  if (!row) return { removed: 0, left: post };
  const gone = await q.query<UploadRow>(
    `delete from uploads where id in (
       select id from uploads where owner_id = $1 and state = 'stored' union all
       select id from uploads where owner_id = $1 and state <> 'stored' limit $2) returning *`,
    [row.id, limit],
  );
  await recordRemovals(q, gone, { reason: 'forgotten', detail: '', now, anonymous: true });
  await blankRecords(q, row.id, owner, Math.max(1, limit - gone.length));
  const left = await leftOf(q, row.id);
  if (left === 0) await deleteOwner(q, row.id);
  return { removed: gone.length, left: left + post };
}

/** The detail of a record may name the owner too (`deleted by …`). */
async function blankRecords(q: Queryable, id: number, owner: string, limit: number): Promise<void> {
  await q.query(
    `update removals set owner_id = null, name = '', detail = replace(detail, $3, '')
      where (locator, removed_at, id) in (
        select locator, removed_at, id from removals where owner_id = $1 limit $2)`,
    [id, limit, owner],
  );
}

async function leftOf(q: Queryable, id: number): Promise<number> {
  const [uploads] = await q.query<{ count: number }>(
    'select uploads + pending_uploads as count from owners where id = $1',
    [id],
  );
  const records = await q.query('select 1 as one from removals where owner_id = $1 limit 1', [id]);
  return (uploads?.count ?? 0) + records.length;
}
