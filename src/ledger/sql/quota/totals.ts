import type { UsageSample } from '../../contract/files.ts';
import type { Queryable } from '../database.ts';
import { SHARDS, totalsShard } from './accounts.ts';

const COUNTERS = ['owners', 'removals', 'uploads', 'bytes', 'pending_uploads', 'pending_bytes'] as const;
type Totals = Readonly<Record<(typeof COUNTERS)[number], number>>;

/**
 * Implements `QuotaStore.recountTotals`. Locks all rows of the totals first, in sorted order as every transaction does. Then no
 * other transaction can commit a change of an owner or a removal, because it also changes the totals.
 */
export async function recountTotals(
  q: Queryable,
  { repair }: { readonly repair: boolean },
): Promise<boolean> {
  for (let shard = 0; shard < SHARDS; shard += 1) {
    await q.query('update totals set owners = owners where shard = $1', [shard]);
  }
  const kept = await q.query<Totals & { shard: number }>(`select shard, ${COUNTERS.join(', ')} from totals`);
  const counted = await countShards(q);
  let isWrong = false;
  for (let shard = 0; shard < SHARDS; shard += 1) {
    const is = kept.find((row) => row.shard === shard);
    const should: Totals = { ...zero, ...counted.get(shard) };
    if (is && COUNTERS.every((counter) => is[counter] === should[counter])) continue;
    isWrong = true;
    if (repair) await writeShard(q, shard, should);
  }
  return isWrong;
}

const zero: Totals = {
  owners: 0,
  removals: 0,
  uploads: 0,
  bytes: 0,
  pending_uploads: 0,
  pending_bytes: 0,
};

/** Adds up the counters of all owners by shard. Shard 0 counts the removal records of the whole service. */
async function countShards(q: Queryable): Promise<Map<number, Partial<Totals>>> {
  const sum = (column: string) => `cast(sum(${column}) as bigint) as ${column}`;
  const rows = await q.query<Totals & { shard: number }>(
    `select id % ${SHARDS} as shard, count(*) as owners, ${['uploads', 'bytes', 'pending_uploads', 'pending_bytes'].map(sum).join(', ')}
      from owners group by id % ${SHARDS}`,
  );
  const shards = new Map<number, Partial<Totals>>(rows.map((row) => [totalsShard(row.shard), { ...row }]));
  const [removals] = await q.query<{ count: number }>('select count(*) as count from removals');
  return shards.set(0, { ...shards.get(0), removals: removals?.count ?? 0 });
}

async function writeShard(q: Queryable, shard: number, totals: Totals): Promise<void> {
  const columns = COUNTERS.map((counter) => `${counter} = excluded.${counter}`).join(', ');
  await q.query(
    `insert into totals (shard, ${COUNTERS.join(', ')}) values ($1, $2, $3, $4, $5, $6, $7)
      on conflict (shard) do update set ${columns}`,
    [shard, ...COUNTERS.map((counter) => totals[counter])],
  );
}

const HOUR_MS = 3600_000;

/** Implements `FileStore.recordUsage`. */
export async function insertUsageSample(q: Queryable, { now }: { now: number }): Promise<void> {
  await q.query(
    `insert into usage_history (at, files, bytes)
      select cast($1 as bigint), cast(sum(uploads) as bigint), cast(sum(bytes) as bigint) from totals where true
      on conflict do nothing`,
    [Math.floor(now / HOUR_MS) * HOUR_MS],
  );
}

/** Implements `FileStore.listUsageHistory`. */
export async function queryUsageHistory(q: Queryable, { since }: { since: number }): Promise<UsageSample[]> {
  const rows = await q.query<UsageSample>(
    'select at, files, bytes from usage_history where at >= $1 order by at limit 10000',
    [since],
  );
  return rows.map((row) => ({ ...row }));
}
