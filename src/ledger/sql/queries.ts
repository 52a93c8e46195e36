import { sha1FromOwner } from '../../base/owners.ts';
import type { Removal, Upload } from '../../base/upload-records.ts';
import type { LedgerStats, OwnerUsage, RemovalQuery, UploadQuery, Usage } from '../contract/ledger.ts';
import { chunks, inList, type Queryable, type SqlValue } from './database.ts';
import { findOwnerByName, listOwnerUploads } from './owner-uploads.ts';
import {
  type RemovalRow,
  SELECT_REMOVALS,
  SELECT_UPLOADS,
  toRemoval,
  toUpload,
  type UploadRowWithOwner,
  WHERE_LOCATOR,
} from './rows.ts';

/** Implements `UploadStore.find`. */
export async function queryUpload(q: Queryable, locator: string): Promise<Upload | undefined> {
  const [row] = await q.query<UploadRowWithOwner>(`${SELECT_UPLOADS} where ${WHERE_LOCATOR}`, [locator]);
  return row && toUpload(row, row.owner);
}

/** Implements `UploadStore.findByPutKey`. */
export async function queryUploadByPutKey(q: Queryable, putKey: string): Promise<Upload | undefined> {
  const [row] = await q.query<UploadRowWithOwner>(`${SELECT_UPLOADS} where uploads.put_key = $1`, [putKey]);
  return row && toUpload(row, row.owner);
}

/** Implements `UploadStore.findRemoval`. */
export async function queryRemoval(q: Queryable, locator: string): Promise<Removal | undefined> {
  const [row] = await q.query<RemovalRow>(
    `${SELECT_REMOVALS} where locator = $1 order by removed_at desc, id desc limit 1`,
    [locator],
  );
  return row && toRemoval(row);
}

/** A condition with one `?` per value. */
type Term = readonly [condition: string, ...values: SqlValue[]];

/** Joins conditions to a `where` clause and numbers their parameters. The limit is the last parameter. */
function clauses(
  terms: readonly Term[],
  limit: number,
): { where: string; limit: string; params: SqlValue[] } {
  const params: SqlValue[] = [];
  const numbered = terms.map(([condition, ...values]) => {
    const remaining = [...values];
    return condition.replaceAll('?', () => `$${params.push(remaining.shift() ?? null)}`);
  });
  const where = numbered.length === 0 ? '' : `where ${numbered.join(' and ')}`;
  return { where, limit: `limit $${params.push(limit)}`, params };
}

const OWNER = 'owner_id = (select id from owners where name = ?)';

/** Implements `AdminStore.listUploads`. */
export async function queryUploads(q: Queryable, query: UploadQuery): Promise<Upload[]> {
  if (query.owner !== undefined) return await queryUploadsOfOwner(q, { ...query, owner: query.owner });
  const terms: Term[] = [];
  if (query.state !== undefined) terms.push(['state = ?', query.state]);
  // The partial index of pending uploads is only used if the statement contains its condition literally.
  if (query.state !== undefined && query.state !== 'stored') terms.push(["state <> 'stored'"]);
  const [operator, order] = query.newestFirst ? ['<', 'desc'] : ['>', 'asc'];
  if (query.after !== undefined) terms.push([`uploads.id ${operator} ?`, query.after]);
  const { where, limit, params } = clauses(terms, query.limit);
  const rows = await q.query<UploadRowWithOwner>(
    `${SELECT_UPLOADS} ${where} order by uploads.id ${order} ${limit}`,
    params,
  );
  return rows.map((row) => toUpload(row, row.owner));
}

async function queryUploadsOfOwner(q: Queryable, query: UploadQuery & { owner: string }): Promise<Upload[]> {
  const { owner: name, state, ...page } = query;
  const owner = await findOwnerByName(q, name);
  if (!owner) return [];
  const isPending = state !== undefined && state !== 'stored';
  const rows = await listOwnerUploads(q, {
    ...page,
    ownerId: owner.id,
    purposes: isPending ? [] : owner.purposes,
    ...(state !== 'stored' && { pending: state ?? 'all' }),
  });
  return rows.map((row) => toUpload(row, name));
}

/** Implements `AdminStore.listRemovals`. */
export async function queryRemovals(q: Queryable, query: RemovalQuery): Promise<Removal[]> {
  const { before } = query;
  const terms: Term[] = [];
  if (query.owner !== undefined) terms.push([OWNER, query.owner]);
  if (query.reason !== undefined) terms.push(['reason = ?', query.reason]);
  if (before) terms.push(['(removed_at, locator) < (?, ?)', before.removedAt, before.locator]);
  const { where, limit, params } = clauses(terms, query.limit);
  const rows = await q.query<RemovalRow>(
    `${SELECT_REMOVALS} ${where} order by removed_at desc, locator desc ${limit}`,
    params,
  );
  return rows.map(toRemoval);
}

interface UsageRow {
  readonly uploads: number;
  readonly bytes: number;
  readonly pending_uploads: number;
  readonly pending_bytes: number;
}

const usageOf = (row: UsageRow | undefined): Usage => ({
  uploads: row?.uploads ?? 0,
  bytes: row?.bytes ?? 0,
  pendingUploads: row?.pending_uploads ?? 0,
  pendingBytes: row?.pending_bytes ?? 0,
});

/** Implements `QuotaStore.usage`. */
export async function queryUsage(q: Queryable, owner: string): Promise<Usage> {
  const [row] = await q.query<UsageRow>(
    'select uploads, bytes, pending_uploads, pending_bytes from owners where name = $1',
    [owner],
  );
  return usageOf(row);
}

/** Implements `AdminStore.findOwnerBySha1`. */
export async function queryOwnerBySha1(q: Queryable, sha1: string): Promise<string | undefined> {
  const rows = await q.query<{ name: string }>('select name from owners where sha1 = $1', [sha1]);
  return rows.find(({ name }) => sha1FromOwner(name) === undefined)?.name;
}

/** Implements `QuotaStore.listOwners`. */
export async function queryOwners(
  q: Queryable,
  query: { after?: string; limit: number },
): Promise<OwnerUsage[]> {
  const terms: Term[] = query.after === undefined ? [] : [['name > ?', query.after]];
  const { where, limit, params } = clauses(terms, query.limit);
  const rows = await q.query<UsageRow & { name: string; last_upload_at: number | null }>(
    `select name, uploads, bytes, pending_uploads, pending_bytes, last_upload_at
      from owners ${where} order by name ${limit}`,
    params,
  );
  return rows.map((row) => ({ owner: row.name, ...usageOf(row), lastUploadAt: row.last_upload_at }));
}

/** Implements `QuotaStore.stats`. */
export async function queryStats(q: Queryable): Promise<LedgerStats> {
  const sums = ['owners', 'removals', 'uploads', 'bytes', 'pending_uploads', 'pending_bytes']
    .map((column) => `cast(sum(${column}) as bigint) as ${column}`)
    .join(', ');
  const [row] = await q.query<UsageRow & { owners: number; removals: number }>(`select ${sums} from totals`);
  return { ...usageOf(row), owners: row?.owners ?? 0, removals: row?.removals ?? 0 };
}

/** Implements `AdminStore.findExistingIds`. */
export async function queryExistingIds(q: Queryable, ids: readonly string[]): Promise<string[]> {
  const existing: string[] = [];
  for (const chunk of chunks(ids)) {
    const sql = `select id from uploads where id in ${inList(chunk.length)}`;
    existing.push(...(await q.query<{ id: string }>(sql, chunk)).map(({ id }) => id));
  }
  return existing;
}

/** Implements `AdminStore.findKnownBlobs`. */
export async function queryKnownBlobs(
  q: Queryable,
  keys: readonly { readonly id: string; readonly blob: string }[],
): Promise<string[]> {
  const known: string[] = [];
  for (const chunk of chunks(keys)) {
    const list = inList(chunk.length);
    const rows = await q.query<{ blob: string; unpublished: string | null }>(
      `select blob, unpublished_blob as unpublished from uploads where id in ${list}`,
      chunk.map(({ id }) => id),
    );
    const trashed = await q.query<{ blob: string }>(
      `select blob from trash where id in ${list}`,
      chunk.map(({ id }) => id),
    );
    const pending = await q.query<{ blob: string }>(
      `select blob from pending_deletes where blob in ${list}`,
      chunk.map(({ blob }) => blob),
    );
    const quarantined = await q.query<{ blob: string }>(
      `select blob from quarantine where blob is not null and id in ${list}`,
      chunk.map(({ id }) => id),
    );
    for (const { blob, unpublished } of rows)
      known.push(blob, ...(unpublished === null ? [] : [unpublished]));
    known.push(...[...pending, ...trashed, ...quarantined].map(({ blob }) => blob));
  }
  return known;
}
