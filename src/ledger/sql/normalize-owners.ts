import { looseJidKey, parseBareJid } from '../../base/jid.ts';
import { jidSha1, ownerFromSha1 } from '../../base/owners.ts';
import type { Database, Queryable } from './database.ts';
import { mergeMessageRates } from './messages/message-rates.ts';
import {
  adjustOwner,
  adjustPurpose,
  adjustTotals,
  deleteOwner,
  totalsShard,
  type UsageDelta,
} from './quota/accounts.ts';
import type { UploadRow } from './rows.ts';

/** Maximum number of rows that one transaction changes. */
const MAX_ROWS = 500;

/**
 * Merges owners whose normalized JIDs are equal, once per database (`pending_steps`). Earlier versions stored the spelling that a
 * client used, in a weaker normal form, so that one account could be several owners. Each transaction is small, and an
 * interrupted run continues at the next start. Does nothing while `porter move` copies the ledger.
 */
export async function normalizeOwners(db: Database, maxRows: number = MAX_ROWS): Promise<void> {
  const [step] = await db.query("select step from pending_steps where step = 'normalize_owners'");
  const [state] = await db.query('select state from migration_state');
  if (step === undefined || state !== undefined) return;
  for await (const name of namesToChange(
    db,
    'select name from owners where name > $1 order by name limit $2',
  )) {
    await repeatUntilDone(db, (q) => mergeOwner(q, name, normalOwnerName(name), maxRows));
  }
  for (const [table, column] of MESSAGE_COLUMNS) {
    const names = `select distinct ${column} as name from ${table} where ${column} > $1 order by ${column} limit $2`;
    for await (const name of namesToChange(db, names)) {
      await repeatUntilDone(db, (q) => renameInMessages(q, name, normalOwnerName(name), maxRows));
    }
  }
  await db.transaction(
    (q) => q.query("delete from pending_steps where step = 'normalize_owners'"),
    'durable',
    'always',
  );
}

/** Tables that name owners without a row in `owners`. */
const MESSAGE_COLUMNS = [
  ['queue_items', 'owner'],
  ['idempotency_keys', 'owner'],
  ['message_rates', 'key'],
] as const;

/**
 * Returns the name under which an owner is stored. From a name that PRECIS forbids, invisible characters are removed, as servers
 * did. Names that are not JIDs (`external`, `sha1:…`, `token:…`) are not changed.
 */
export function normalOwnerName(name: string): string {
  if (/^[\x21-\x40\x5b-\x7e]*$/.test(name) && !/xn--/.test(name)) return name;
  if (/^(?:sha1|node|import|token):/.test(name)) return name;
  return parseBareJid(name) ?? parseBareJid(looseJidKey(name)) ?? name;
}

/** Yields the names whose normal form differs. `select` reads one page after `$1`, sorted. */
async function* namesToChange(db: Database, select: string): AsyncGenerator<string> {
  for (let after = ''; ; ) {
    const page = await db.query<{ name: string }>(select, [after, 1000]);
    for (const { name } of page) if (normalOwnerName(name) !== name) yield name;
    const last = page.at(-1);
    if (last === undefined || page.length < 1000) return;
    after = last.name;
  }
}

/** Runs transactions until one of them returns true. */
async function repeatUntilDone(db: Database, work: (q: Queryable) => Promise<boolean>): Promise<void> {
  while (!(await db.transaction(work, 'durable', 'open')));
}

/** Moves up to `maxRows` rows from one owner to the other. Returns true when none are left and the first owner is gone. */
async function mergeOwner(q: Queryable, from: string, to: string, maxRows: number): Promise<boolean> {
  if (!(await renameInMessages(q, from, to, maxRows))) return false;
  await renameHashedOwner(q, to);
  // These updates lock the rows in one order, so that two processes cannot block each other.
  const locked: { id: number; name: string }[] = [];
  for (const name of [from, to].toSorted()) {
    locked.push(
      ...(await q.query<{ id: number; name: string }>(
        'update owners set name = name where name = $1 returning id, name',
        [name],
      )),
    );
  }
  const source = locked.find(({ name }) => name === from);
  const target = locked.find(({ name }) => name === to);
  if (source === undefined) return true;
  if (target === undefined) {
    await q.query('update owners set name = $2, sha1 = $3 where id = $1', [source.id, to, jidSha1(to)]);
    return true;
  }
  if (!(await moveUploads(q, source.id, target.id, maxRows))) return false;
  if (!(await moveRemovals(q, source.id, target.id, maxRows))) return false;
  await moveRates(q, source.id, target.id);
  await q.query(
    `update owners set last_upload_at = (
       select max(last_upload_at) from owners where id in ($1, $2)) where id = $2`,
    [source.id, target.id],
  );
  await deleteOwner(q, source.id);
  return true;
}

/** Gives the normalized JID to an owner that was known by the hash of this JID only, as after an import from ejabberd. */
async function renameHashedOwner(q: Queryable, name: string): Promise<void> {
  await q.query(
    `update owners set name = $1 where name = $2 and not exists (select 1 from owners where name = $1)`,
    [name, ownerFromSha1(jidSha1(name))],
  );
}

async function moveUploads(q: Queryable, from: number, to: number, maxRows: number): Promise<boolean> {
  const moved = await q.query<Pick<UploadRow, 'purpose' | 'state' | 'size'>>(
    `update uploads set owner_id = $2 where id in (
       select id from uploads where owner_id = $1 and state = 'stored' union all
       select id from uploads where owner_id = $1 and state <> 'stored' limit $3)
      returning purpose, state, size`,
    [from, to, maxRows],
  );
  for (const purpose of new Set(moved.map((row) => row.purpose))) {
    const delta = sumOf(moved.filter((row) => row.purpose === purpose));
    await adjustPurpose(q, from, purpose, negative(delta));
    await adjustPurpose(q, to, purpose, delta);
  }
  const delta = sumOf(moved);
  await adjustOwner(q, from, negative(delta));
  await adjustOwner(q, to, delta);
  const totals = [
    { id: from, change: negative(delta) },
    { id: to, change: delta },
  ].toSorted((a, b) => totalsShard(a.id) - totalsShard(b.id));
  for (const { id, change } of totals) await adjustTotals(q, id, change);
  return moved.length < maxRows;
}

function sumOf(rows: readonly Pick<UploadRow, 'state' | 'size'>[]): UsageDelta {
  const sum = { uploads: 0, bytes: 0, pendingUploads: 0, pendingBytes: 0 };
  for (const { state, size } of rows) {
    sum[state === 'stored' ? 'uploads' : 'pendingUploads'] += 1;
    sum[state === 'stored' ? 'bytes' : 'pendingBytes'] += size;
  }
  return sum;
}

const negative = (delta: UsageDelta): UsageDelta => ({
  uploads: -delta.uploads,
  bytes: -delta.bytes,
  pendingUploads: -delta.pendingUploads,
  pendingBytes: -delta.pendingBytes,
});

async function moveRemovals(q: Queryable, from: number, to: number, maxRows: number): Promise<boolean> {
  const moved = await q.query(
    `update removals set owner_id = $2 where (locator, removed_at, id) in (
       select locator, removed_at, id from removals where owner_id = $1 limit $3) returning id`,
    [from, to, maxRows],
  );
  return moved.length < maxRows;
}

/** Adds the buckets of one owner to those of the other, at most 65 of each width. `deleteOwner` deletes those of the first owner. */
async function moveRates(q: Queryable, from: number, to: number): Promise<void> {
  await q.query(
    `insert into upload_rates (owner_id, width, start_at, last_at, ends_at, uploads, bytes)
       select cast($2 as integer), width, start_at, last_at, ends_at, uploads, bytes from upload_rates where owner_id = $1
      on conflict (owner_id, width, start_at) do update set
        last_at = case when excluded.last_at > upload_rates.last_at then excluded.last_at else upload_rates.last_at end,
        ends_at = case when excluded.ends_at > upload_rates.ends_at then excluded.ends_at else upload_rates.ends_at end,
        uploads = upload_rates.uploads + excluded.uploads, bytes = upload_rates.bytes + excluded.bytes`,
    [from, to],
  );
}

/** Gives queued items, idempotency keys and message rates to another owner. Returns true when none are left. */
async function renameInMessages(q: Queryable, from: string, to: string, maxRows: number): Promise<boolean> {
  const items = await q.query(
    `update queue_items set owner = $2 where (queue, queue_key, id) in (
       select queue, queue_key, id from queue_items where owner = $1 limit $3) returning id`,
    [from, to, maxRows],
  );
  // If both owners have used a key, the row of the normalized name is kept.
  const keys = await q.query<{ key: string }>('select key from idempotency_keys where owner = $1 limit $2', [
    from,
    maxRows,
  ]);
  for (const { key } of keys) {
    await q.query(
      `update idempotency_keys set owner = $2 where owner = $1 and key = $3
         and not exists (select 1 from idempotency_keys where owner = $2 and key = $3)`,
      [from, to, key],
    );
    await q.query('delete from idempotency_keys where owner = $1 and key = $2', [from, key]);
  }
  await mergeMessageRates(q, from, to);
  return items.length < maxRows && keys.length < maxRows;
}
