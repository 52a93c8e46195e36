import { writerTag } from '../../../base/blob-keys.ts';
import { chunks, inList, insertMany, type Queryable } from '../database.ts';

/**
 * True if a process may store without a claim. Locks its row, so that it cannot be declared dead before the commit: afterwards its
 * files are deleted.
 */
export const mayStoreSql = ({ isConcurrent }: Queryable, instance: string, tag: string) =>
  `exists (select 1 from instances where id = ${instance}${isConcurrent ? ' for key share' : ''})
     and not exists (select 1 from dead_writers where tag = ${tag})`;

/** Returns whether a process may store without a claim. */
export async function mayStore(q: Queryable, instance: string): Promise<boolean> {
  const rows = await q.query(`select 1 as one where ${mayStoreSql(q, '$1', '$2')}`, [
    instance,
    writerTag(instance),
  ]);
  return rows.length === 1;
}

/** Called after the rows of these processes were deleted: a transaction that has locked one of them has ended. */
export async function addDeadWriters(q: Queryable, ids: readonly string[]): Promise<void> {
  const rows = ids.map((id) => [writerTag(id)]);
  await insertMany(q, { table: 'dead_writers', columns: ['tag'], tail: 'on conflict do nothing' }, rows);
}

/** Implements `ProcessStore.listDeadWriters`. */
export async function queryDeadWriters(q: Queryable): Promise<string[]> {
  const rows = await q.query<{ tag: string }>('select tag from dead_writers order by tag');
  return rows.map(({ tag }) => tag);
}

/** Implements `ProcessStore.dropDeadWriters`. */
export async function deleteDeadWriters(q: Queryable, tags: readonly string[]): Promise<void> {
  for (const chunk of chunks(tags))
    await q.query(`delete from dead_writers where tag in ${inList(chunk.length)}`, chunk);
}
