import { HEARTBEAT_TIMEOUT_MS } from '../../contract/ledger.ts';
import type { BeginRequestParams, BeginRequestResult } from '../../contract/messages.ts';
import type { Queryable } from '../database.ts';

/** Begun by a process that has shown no life since: neither a heartbeat nor this very request. */
const ABANDONED = `requests.answer is null and requests.begun_at <= $7 and not exists (
  select 1 from instances where instances.id = requests.instance and instances.seen_at > $7)`;

/** See `MessageStore.beginRequest`. */
export async function beginRequest(q: Queryable, order: BeginRequestParams): Promise<BeginRequestResult> {
  for (;;) {
    if (await begin(q, order)) return { outcome: 'new' };
    const found = await look(q, order);
    // Dropped in between: then it is new.
    if (found !== undefined) return found;
  }
}

async function begin(q: Queryable, order: BeginRequestParams): Promise<boolean> {
  const { owner, key, digest, instance, now, expiresAt } = order;
  const begun = await q.query(
    `insert into requests (owner, key, digest, answer, instance, begun_at, expires_at)
      values ($1, $2, $3, null, $4, $5, $6)
      on conflict (owner, key) do update set digest = excluded.digest, answer = null,
        instance = excluded.instance, begun_at = excluded.begun_at, expires_at = excluded.expires_at
      where requests.expires_at <= excluded.begun_at or (${ABANDONED})
      returning 1 as one`,
    [owner, key, digest, instance, now, expiresAt, now - HEARTBEAT_TIMEOUT_MS],
  );
  return begun.length > 0;
}

async function look(
  q: Queryable,
  { owner, key, digest }: BeginRequestParams,
): Promise<BeginRequestResult | undefined> {
  const [row] = await q.query<{ digest: string; answer: string | null }>(
    'select digest, answer from requests where owner = $1 and key = $2',
    [owner, key],
  );
  if (row === undefined) return undefined;
  if (row.digest !== digest) return { outcome: 'other' };
  return row.answer === null ? { outcome: 'running' } : { outcome: 'done', answer: row.answer };
}

/** See `MessageStore.finishRequest`. */
export async function finishRequest(
  q: Queryable,
  { owner, key, answer }: { owner: string; key: string; answer: string },
): Promise<void> {
  await q.query('update requests set answer = $3 where owner = $1 and key = $2 and answer is null', [
    owner,
    key,
    answer,
  ]);
}

/** See `MessageStore.dropRequest`. */
export async function dropRequest(
  q: Queryable,
  { owner, key }: { owner: string; key: string },
): Promise<void> {
  await q.query('delete from requests where owner = $1 and key = $2 and answer is null', [owner, key]);
}
