import { writerTag } from '../../../base/blob-keys.ts';
import { chunks, inList, insertMany, type Queryable } from '../database.ts';

/**
 * Returns a condition that is true if a process may store without a claim. Locks the row of the process, so that it cannot become
 * a dead writer before the commit. The files of a dead writer are deleted.
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

/**
 * Makes processes dead writers. Must be called after their rows in `instances` were deleted: the deletion has waited for every
 * transaction that has locked one of them.
 */
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
