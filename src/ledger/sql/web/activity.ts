import { type DailyCounts, type HookCall, MAX_SWEEP_RUNS, type SweepRun } from '../../contract/activity.ts';
import { insertMany, type Queryable } from '../database.ts';

/** Implements `ActivityStore.addDailyCounts`. */
export async function addDailyCounts(q: Queryable, counts: DailyCounts): Promise<void> {
  const { day, uploads, downloads, refusals } = counts;
  await q.query(
    `insert into daily_counts (day, uploads, downloads, refusals) values ($1, $2, $3, $4)
      on conflict (day) do update set uploads = daily_counts.uploads + excluded.uploads,
        downloads = daily_counts.downloads + excluded.downloads, refusals = daily_counts.refusals + excluded.refusals`,
    [day, uploads, downloads, refusals],
  );
}

/** Implements `ActivityStore.listDailyCounts`. */
export async function queryDailyCounts(q: Queryable, { since }: { since: number }): Promise<DailyCounts[]> {
  const rows = await q.query<DailyCounts>(
    'select day, uploads, downloads, refusals from daily_counts where day >= $1 order by day limit 10000',
    [since],
  );
  return rows.map((row) => ({ ...row }));
}

/** Implements `ActivityStore.recordSweep`. */
export async function insertSweepRun(q: Queryable, run: SweepRun): Promise<void> {
  const { id, startedAt, durationMs, unused, expired, softQuota, bytes, deadClaims, records } = run;
  await q.query(
    `insert into sweep_runs (id, started_at, duration_ms, unused, expired, soft_quota, bytes, dead_claims, records)
      values ($1, $2, $3, $4, $5, $6, $7, $8, $9)`,
    [id, startedAt, durationMs, unused, expired, softQuota, bytes, deadClaims, records],
  );
  await q.query(
    `delete from sweep_runs where id < (
       select id from sweep_runs order by id desc limit 1 offset ${MAX_SWEEP_RUNS - 1})`,
  );
}

/** Implements `ActivityStore.listSweeps`. */
export async function querySweepRuns(q: Queryable): Promise<SweepRun[]> {
  const rows = await q.query<{
    id: string;
    started_at: number;
    duration_ms: number;
    unused: number;
    expired: number;
    soft_quota: number;
    bytes: number;
    dead_claims: number;
    records: number;
  }>(`select * from sweep_runs order by id desc limit ${MAX_SWEEP_RUNS}`);
  return rows.map(({ started_at, duration_ms, soft_quota, dead_claims, ...row }) => ({
    ...row,
    startedAt: started_at,
    durationMs: duration_ms,
    softQuota: soft_quota,
    deadClaims: dead_claims,
  }));
}

const REPLACE_CALL = `on conflict (hook) do update set at = excluded.at, status = excluded.status, address = excluded.address,
  program = excluded.program, refusal = excluded.refusal where hook_calls.at <= excluded.at`;

/** Implements `ActivityStore.recordHookCalls`. */
export async function upsertHookCalls(q: Queryable, calls: readonly HookCall[]): Promise<void> {
  // Sorted, so that processes that record the same hooks at the same time do not block each other.
  const rows = calls
    .toSorted((a, b) => (a.hook < b.hook ? -1 : 1))
    .map(({ hook, at, status, address, program, refusal }) => [hook, at, status, address, program, refusal]);
  const columns = ['hook', 'at', 'status', 'address', 'program', 'refusal'];
  await insertMany(q, { table: 'hook_calls', columns, tail: REPLACE_CALL }, rows);
}

/** Implements `ActivityStore.listHookCalls`. */
export async function queryHookCalls(q: Queryable): Promise<HookCall[]> {
  const rows = await q.query<HookCall>('select * from hook_calls order by hook limit 10000');
  return rows.map((row) => ({ ...row }));
}
