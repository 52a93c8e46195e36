import type {
  BeginRequestParams,
  BeginRequestResult,
  FinishRequestParams,
  RequestKey,
} from '../../contract/messages.ts';
import type { Queryable } from '../database.ts';
import { ledgerTimeSql, silentSinceSql } from '../processes/heartbeats.ts';

/**
 * Returns a condition for running requests that started at least `HEARTBEAT_TIMEOUT_MS` ago, and whose process has sent no
 * heartbeat within that time.
 */
function abandonedSql(q: Queryable, ledgerTime: string): string {
  const silentSince = silentSinceSql(q, ledgerTime);
  return `idempotency_keys.response is null and idempotency_keys.started_at <= ${silentSince} and not exists (
    select 1 from instances where instances.id = idempotency_keys.instance and instances.seen_at > ${silentSince})`;
}

/** Implements `MessageStore.beginRequest`. */
export async function beginRequest(q: Queryable, params: BeginRequestParams): Promise<BeginRequestResult> {
  for (;;) {
    if (await insertOrTakeOver(q, params)) {
      if (!(await hasTooMany(q, params))) return { outcome: 'new' };
      await dropRequest(q, params);
      return { outcome: 'too_many' };
    }
    const earlier = await findEarlier(q, params);
    // The earlier request may have been dropped between the two statements. Then this one is new.
    if (earlier !== undefined) return earlier;
  }
}

async function insertOrTakeOver(q: Queryable, params: BeginRequestParams): Promise<boolean> {
  const { owner, key, digest, instance, now, expiresAt, ledgerTime = null } = params;
  const written = await q.query(
    `insert into idempotency_keys (owner, key, request_digest, response, instance, started_at, expires_at)
      values ($1, $2, $3, null, $4, ${ledgerTimeSql(q, '$7')}, $5)
      on conflict (owner, key) do update set request_digest = excluded.request_digest, response = null,
        instance = excluded.instance, started_at = excluded.started_at, expires_at = excluded.expires_at
      where idempotency_keys.expires_at <= $6 or (${abandonedSql(q, '$7')})
      returning 1 as one`,
    [owner, key, digest, instance, expiresAt, now, ledgerTime],
  );
  return written.length > 0;
}

async function hasTooMany(q: Queryable, { owner, limit }: BeginRequestParams): Promise<boolean> {
  const beyond = await q.query('select 1 as one from idempotency_keys where owner = $1 limit 1 offset $2', [
    owner,
    limit,
  ]);
  return beyond.length > 0;
}

async function findEarlier(
  q: Queryable,
  { owner, key, digest }: BeginRequestParams,
): Promise<BeginRequestResult | undefined> {
  const [row] = await q.query<{ request_digest: string; response: string | null }>(
    'select request_digest, response from idempotency_keys where owner = $1 and key = $2',
    [owner, key],
  );
  if (row === undefined) return undefined;
  if (row.request_digest !== digest) return { outcome: 'key_reused' };
  return row.response === null ? { outcome: 'running' } : { outcome: 'done', response: row.response };
}

/** Implements `MessageStore.finishRequest`. */
export async function finishRequest(
  q: Queryable,
  { owner, key, response }: FinishRequestParams,
): Promise<void> {
  await q.query(
    'update idempotency_keys set response = $3 where owner = $1 and key = $2 and response is null',
    [owner, key, response],
  );
}

/** Implements `MessageStore.dropRequest`. */
export async function dropRequest(q: Queryable, { owner, key }: RequestKey): Promise<void> {
  await q.query('delete from idempotency_keys where owner = $1 and key = $2 and response is null', [
    owner,
    key,
  ]);
}
