import type { ErrorCode } from '../../base/errors.ts';
import type { Endpoint } from '../../base/upload-records.ts';
import {
  KEEP_REFUSALS_MS,
  MAX_REFUSALS,
  MAX_REFUSALS_PER_OWNER,
  type RefusalRecord,
} from '../contract/refusals.ts';
import { insertMany, type Queryable } from './database.ts';

interface RefusalRow {
  readonly owner: string;
  readonly endpoint: Endpoint;
  readonly code: ErrorCode;
  readonly upload_id: string;
  readonly is_denied: number;
  readonly times: number;
  readonly first_at: number;
  readonly last_at: number;
  readonly text: string;
  readonly name: string;
  readonly size: number | null;
}

const KEY = 'owner, endpoint, code, upload_id';
const COLUMNS = 'owner endpoint code upload_id is_denied times first_at last_at text name size'.split(' ');

/** Restarts the count of a row that began more than `KEEP_REFUSALS_MS` before its new refusal. */
const ADD_TO_ROW = `on conflict (${KEY}) do update set
  times = case when refusals.first_at <= excluded.last_at - ${KEEP_REFUSALS_MS} then excluded.times
    else refusals.times + excluded.times end,
  first_at = case when refusals.first_at <= excluded.last_at - ${KEEP_REFUSALS_MS} then excluded.first_at
    else refusals.first_at end,
  last_at = excluded.last_at, is_denied = excluded.is_denied, text = excluded.text, name = excluded.name,
  size = excluded.size returning owner`;

/** Implements `RefusalStore.recordRefusals`. */
export async function recordRefusals(q: Queryable, refusals: readonly RefusalRecord[]): Promise<void> {
  // Sorted, so that processes that record the same rows at the same time do not block each other.
  const rows = refusals.map(toValues).toSorted((a, b) => (keyOf(a) < keyOf(b) ? -1 : 1));
  await insertMany(q, { table: 'refusals', columns: COLUMNS, tail: ADD_TO_ROW }, rows);
  for (const { uploadId, lastAt } of refusals) if (uploadId !== '') await markPut(q, uploadId, lastAt);
  for (const owner of new Set(refusals.map((refusal) => refusal.owner))) await trimOwner(q, owner);
  await trimAll(q, 0, MAX_REFUSALS.allowed);
  await trimAll(q, 1, MAX_REFUSALS.denied);
}

const keyOf = (values: readonly unknown[]) => values.slice(0, 4).join(' ');

function toValues(refusal: RefusalRecord) {
  const { owner, endpoint, code, uploadId, isDenied, times, firstAt, lastAt, text, name, size } = refusal;
  return [owner, endpoint, code, uploadId, isDenied ? 1 : 0, times, firstAt, lastAt, text, name, size];
}

/** Records that a PUT has come to a slot, also if it was refused before it claimed the slot. */
async function markPut(q: Queryable, id: string, at: number): Promise<void> {
  await q.query(
    "update uploads set claimed_at = $2 where id = $1 and state = 'issued' and claimed_at is null",
    [id, at],
  );
}

async function trimOwner(q: Queryable, owner: string): Promise<void> {
  await q.query(
    `delete from refusals where owner = $1 and (endpoint, code, upload_id) not in (
       select endpoint, code, upload_id from refusals where owner = $1
         order by last_at desc, endpoint, code, upload_id limit ${MAX_REFUSALS_PER_OWNER})`,
    [owner],
  );
}

async function trimAll(q: Queryable, isDenied: 0 | 1, rows: number): Promise<void> {
  await q.query(
    `delete from refusals where is_denied = $1 and last_at < (
       select last_at from refusals where is_denied = $1 order by last_at desc limit 1 offset ${rows - 1})`,
    [isDenied],
  );
}

/** Implements `RefusalStore.listRefusals`. */
export async function queryRefusals(
  q: Queryable,
  { owner, since }: { owner: string; since: number },
): Promise<RefusalRecord[]> {
  const rows = await q.query<RefusalRow>(
    'select * from refusals where owner = $1 and last_at > $2 order by last_at desc, endpoint, code, upload_id',
    [owner, since],
  );
  return rows.map(toRefusal);
}

/** Implements `RefusalStore.listAllRefusals`. */
export async function queryAllRefusals(
  q: Queryable,
  { since, limit }: { since: number; limit: number },
): Promise<RefusalRecord[]> {
  const latest = (isDenied: 0 | 1) =>
    q.query<RefusalRow>(
      'select * from refusals where is_denied = $1 and last_at > $2 order by last_at desc limit $3',
      [isDenied, since, limit],
    );
  const rows = [...(await latest(0)), ...(await latest(1))];
  return rows
    .toSorted((a, b) => b.last_at - a.last_at)
    .slice(0, limit)
    .map(toRefusal);
}

function toRefusal(row: RefusalRow): RefusalRecord {
  return {
    owner: row.owner,
    endpoint: row.endpoint,
    code: row.code,
    uploadId: row.upload_id,
    isDenied: row.is_denied === 1,
    times: row.times,
    firstAt: row.first_at,
    lastAt: row.last_at,
    text: row.text,
    name: row.name,
    size: row.size,
  };
}
