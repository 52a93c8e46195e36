import type { ImportedUpload, ImportUploadsParams, OldPath } from '../contract/admin.ts';
import { chunks, inList, insertMany, type Queryable } from './database.ts';
import {
  adjustPurpose,
  adjustTotals,
  chargeStored,
  deleteOwner,
  type OwnerAccount,
  totalsShard,
} from './quota/accounts.ts';

/** Implements `AdminStore.importUploads`. Charges owners in sorted order, so that concurrent transactions cannot deadlock. */
export async function insertImportedUploads(
  q: Queryable,
  { uploads }: ImportUploadsParams,
  newId?: () => number,
): Promise<string[]> {
  const importable = await withoutTaken(q, uploads);
  const owners = Map.groupBy(importable, ({ owner }) => owner);
  const imported: InsertedUpload[] = [];
  for (const owner of [...owners.keys()].sort()) {
    imported.push(...(await importForOwner(q, owner, owners.get(owner) ?? [], newId)));
  }
  await chargeTotals(q, imported);
  return imported.map(({ upload }) => upload.id);
}

interface InsertedUpload {
  readonly ownerId: number;
  readonly upload: ImportedUpload;
}

/** Drops uploads whose locator or id is in use or was removed, and repeated locators. */
async function withoutTaken(q: Queryable, uploads: readonly ImportedUpload[]): Promise<ImportedUpload[]> {
  const taken = new Set<string>();
  for (const chunk of chunks(uploads)) {
    const locators = chunk.map(({ locator }) => locator);
    const list = inList(chunk.length);
    const rows = await q.query<{ locator: string }>(
      `select locator from uploads where locator in ${list}
        union select locator from removals where locator in ${list} and reason <> 'unused'`,
      locators,
    );
    const ids = await q.query<{ id: string }>(
      `select id from uploads where id in ${list}`,
      chunk.map(({ id }) => id),
    );
    for (const { locator } of rows) taken.add(locator);
    for (const { id } of ids) taken.add(id);
  }
  return uploads.filter(({ id, locator }) => {
    if (taken.has(locator) || taken.has(id)) return false;
    taken.add(locator).add(id);
    return true;
  });
}

/** Charges the owner first, which locks its row. Then refunds files that a concurrent import has inserted meanwhile. */
async function importForOwner(
  q: Queryable,
  owner: string,
  uploads: readonly ImportedUpload[],
  newId?: () => number,
): Promise<InsertedUpload[]> {
  const lastUploadAt = Math.max(...uploads.map(({ storedAt }) => storedAt));
  const { account, isNew } = await chargeStored(q, owner, { ...sum(uploads), lastUploadAt }, newId);
  const inserted = new Set(await insertRows(q, account, uploads));
  const imported = uploads.filter(({ id }) => inserted.has(id));
  if (imported.length < uploads.length) {
    const { uploads: count, bytes } = sum(uploads.filter(({ id }) => !inserted.has(id)));
    await chargeStored(q, owner, { uploads: -count, bytes: -bytes, lastUploadAt: 0 }, newId);
    if (isNew && imported.length === 0) await deleteOwner(q, account.id);
  }
  for (const [purpose, some] of Map.groupBy(imported, (upload) => upload.purpose)) {
    await adjustPurpose(q, account.id, purpose, { bytes: sum(some).bytes, pendingBytes: 0 });
  }
  return imported.map((upload) => ({ ownerId: account.id, upload }));
}

function sum(uploads: readonly ImportedUpload[]): { uploads: number; bytes: number } {
  return { uploads: uploads.length, bytes: uploads.reduce((total, { size }) => total + size, 0) };
}

async function chargeTotals(q: Queryable, imported: readonly InsertedUpload[]): Promise<void> {
  const shards = [...Map.groupBy(imported, ({ ownerId }) => totalsShard(ownerId))].sort(([a], [b]) => a - b);
  for (const [shard, some] of shards) {
    const delta = sum(some.map(({ upload }) => upload));
    await adjustTotals(q, shard, { ...delta, pendingUploads: 0, pendingBytes: 0 });
  }
}

const UPLOAD_COLUMNS = [
  'id',
  'locator',
  'owner_id',
  'endpoint',
  'purpose',
  'name',
  'type',
  'size',
  'state',
  'blob',
  'created_at',
  'deadline',
  'stored_at',
  'expires_at',
  'may_have_bytes',
  'reserved_by_put',
  'rate_buckets',
];

/** Returns the ids of the inserted rows. */
async function insertRows(
  q: Queryable,
  { id: ownerId }: OwnerAccount,
  uploads: readonly ImportedUpload[],
): Promise<string[]> {
  const rows = uploads.map((upload) => [
    upload.id,
    upload.locator,
    ownerId,
    'import',
    upload.purpose,
    upload.name,
    upload.type,
    upload.size,
    'stored',
    upload.blob,
    upload.storedAt,
    upload.storedAt,
    upload.storedAt,
    upload.expiresAt,
    1,
    0,
    '',
  ]);
  const tail = 'on conflict do nothing returning id';
  const inserted = await insertMany<{ id: string }>(
    q,
    { table: 'uploads', columns: UPLOAD_COLUMNS, tail },
    rows,
  );
  return inserted.map(({ id }) => id);
}

/** Implements `AdminStore.addOldPath`. */
export async function insertOldPath(q: Queryable, { path, namespace }: OldPath): Promise<void> {
  await q.query(
    `insert into old_paths (path, namespace) values ($1, $2)
      on conflict (path) do update set namespace = excluded.namespace`,
    [path, namespace],
  );
}

/** Implements `AdminStore.listOldPaths`. */
export async function queryOldPaths(q: Queryable): Promise<OldPath[]> {
  const rows = await q.query<OldPath>('select path, namespace from old_paths order by path');
  return rows.map(({ path, namespace }) => ({ path, namespace }));
}

/** Implements `AdminStore.findImportingBlobs`. */
export async function queryImportingBlobs(q: Queryable, keys: readonly string[]): Promise<string[]> {
  const found: string[] = [];
  for (const chunk of chunks(keys)) {
    const sql = `select blob from import_intents where blob in ${inList(chunk.length)}`;
    found.push(...(await q.query<{ blob: string }>(sql, chunk)).map(({ blob }) => blob));
  }
  return found;
}
