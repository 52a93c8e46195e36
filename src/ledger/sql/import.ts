import {
  type AnnouncedImport,
  type AnnounceImportsParams,
  IMPORT_TIMEOUT_MS,
  type ImportedUpload,
  type ImportUploadsParams,
  type OldPath,
} from '../contract/admin.ts';
import { chunks, inList, insertMany, type Queryable } from './database.ts';
import {
  adjustPurpose,
  adjustTotals,
  chargeStored,
  deleteOwner,
  type OwnerAccount,
  totalsShard,
} from './quota/accounts.ts';
import { addPendingBlobs } from './remove.ts';
import { insertStoredUploads } from './rows.ts';

/** Implements `AdminStore.importUploads`. Charges owners in sorted order, so that concurrent transactions cannot deadlock. */
export async function insertImportedUploads(
  q: Queryable,
  { uploads, announced = [] }: ImportUploadsParams,
  newId?: () => number,
): Promise<string[]> {
  const alive = await endAnnouncements(q, announced);
  const announcedUploads = announced.length === 0 ? uploads : uploads.filter(({ id }) => alive.has(id));
  const importable = await withoutTaken(q, announcedUploads);
  const owners = Map.groupBy(importable, ({ owner }) => owner);
  const imported: InsertedUpload[] = [];
  for (const owner of [...owners.keys()].sort()) {
    imported.push(...(await importForOwner(q, owner, owners.get(owner) ?? [], newId)));
  }
  await chargeTotals(q, imported);
  await discardUnused(q, announced);
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

/** Returns the ids of the inserted rows. */
async function insertRows(
  q: Queryable,
  { id: ownerId }: OwnerAccount,
  uploads: readonly ImportedUpload[],
): Promise<string[]> {
  const rows = uploads.map(({ id, locator, purpose, name, type, size, blob, storedAt, expiresAt }) => ({
    id,
    locator,
    owner_id: ownerId,
    endpoint: 'import' as const,
    purpose,
    name,
    type,
    size,
    blob,
    created_at: storedAt,
    deadline: storedAt,
    stored_at: storedAt,
    expires_at: expiresAt,
    sha256: null,
    scan: null,
  }));
  const inserted = await insertStoredUploads(q, rows);
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

/** Implements `AdminStore.announceImports`. A repeated import replaces the announcement of one that was killed. */
export async function announceImports(
  q: Queryable,
  { imports, now }: AnnounceImportsParams,
): Promise<string[]> {
  const tail = 'on conflict (id) do update set blob = excluded.blob, started_at = excluded.started_at';
  await insertMany(
    q,
    { table: 'import_intents', columns: ['id', 'blob', 'started_at'], tail },
    imports.map(({ id, blob }) => [id, blob, now]),
  );
  return await selectColumn(
    q,
    (list) => `select blob as value from pending_deletes where blob in ${list}`,
    imports.map(({ blob }) => blob),
  );
}

/**
 * Returns the ids whose announcements were still there. Another import of the same file may have ended one, and its blob may be
 * deleted. Deleting the rows first also makes concurrent imports of one file wait for each other.
 */
async function endAnnouncements(q: Queryable, announced: readonly AnnouncedImport[]): Promise<Set<string>> {
  const ids = announced.map(({ id }) => id);
  const sql = (list: string) => `delete from import_intents where id in ${list} returning id as value`;
  return new Set(await selectColumn(q, sql, ids));
}

/** Adds the announced blobs of uploads that have no row to the pending deletes. */
async function discardUnused(q: Queryable, announced: readonly AnnouncedImport[]): Promise<void> {
  const ids = announced.map(({ id }) => id);
  const present = new Set(
    await selectColumn(q, (list) => `select id as value from uploads where id in ${list}`, ids),
  );
  const unused = announced.filter(({ id }) => !present.has(id));
  await addPendingBlobs(
    q,
    unused.map(({ blob }) => blob),
  );
}

/** Implements `AdminStore.findImportingBlobs`. */
export async function queryImportingBlobs(
  q: Queryable,
  { blobs, now }: { readonly blobs: readonly string[]; readonly now: number },
): Promise<string[]> {
  const found: string[] = [];
  for (const chunk of chunks(blobs)) {
    const sql = `select blob, started_at as "startedAt" from import_intents where blob in ${inList(chunk.length)}`;
    const rows = await q.query<{ blob: string; startedAt: number }>(sql, chunk);
    found.push(
      ...rows.filter(({ startedAt }) => startedAt > now - IMPORT_TIMEOUT_MS).map(({ blob }) => blob),
    );
  }
  return found;
}

/** Runs a statement for parts of a list, and returns the column `value` of all rows. */
async function selectColumn(
  q: Queryable,
  sql: (list: string) => string,
  items: readonly string[],
): Promise<string[]> {
  const values: string[] = [];
  for (const chunk of chunks(items)) {
    values.push(
      ...(await q.query<{ value: string }>(sql(inList(chunk.length)), chunk)).map(({ value }) => value),
    );
  }
  return values;
}
