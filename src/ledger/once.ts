import { SILENT_MS } from './contract.ts';
import type { Queryable } from './database.ts';
import type { BeginOnce, Begun } from './post.ts';

/** Begun by a process that has shown no life since: neither a heartbeat nor this very request. */
const ABANDONED = `requests.answer is null and requests.begun_at <= $7 and not exists (
  select 1 from instances where instances.id = requests.instance and instances.seen_at > $7)`;

/** See `Post.beginOnce`. */
export async function beginOnce(q: Queryable, order: BeginOnce): Promise<Begun> {
  for (;;) {
    if (await begin(q, order)) return { outcome: 'new' };
    const found = await look(q, order);
    // Dropped in between: then it is new.
    if (found !== undefined) return found;
  }
}

async function begin(q: Queryable, order: BeginOnce): Promise<boolean> {
  const { owner, key, digest, instance, now, expiresAt } = order;
  const begun = await q.query(
    `insert into requests (owner, key, digest, answer, instance, begun_at, expires_at)
      values ($1, $2, $3, null, $4, $5, $6)
      on conflict (owner, key) do update set digest = excluded.digest, answer = null,
        instance = excluded.instance, begun_at = excluded.begun_at, expires_at = excluded.expires_at
      where requests.expires_at <= excluded.begun_at or (${ABANDONED})
      returning 1 as one`,
    [owner, key, digest, instance, now, expiresAt, now - SILENT_MS],
  );
  return begun.length > 0;
}

async function look(q: Queryable, { owner, key, digest }: BeginOnce): Promise<Begun | undefined> {
  const [row] = await q.query<{ digest: string; answer: string | null }>(
    'select digest, answer from requests where owner = $1 and key = $2',
    [owner, key],
  );
  if (row === undefined) return undefined;
  if (row.digest !== digest) return { outcome: 'other' };
  return row.answer === null ? { outcome: 'running' } : { outcome: 'done', answer: row.answer };
}

/** See `Post.finishOnce`. */
export async function finishOnce(
  q: Queryable,
  { owner, key, answer }: { owner: string; key: string; answer: string },
): Promise<void> {
  await q.query('update requests set answer = $3 where owner = $1 and key = $2 and answer is null', [
    owner,
    key,
    answer,
  ]);
}

/** See `Post.dropOnce`. */
export async function dropOnce(q: Queryable, { owner, key }: { owner: string; key: string }): Promise<void> {
  await q.query('delete from requests where owner = $1 and key = $2 and answer is null', [owner, key]);
}
