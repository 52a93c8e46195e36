import { randomInt } from 'node:crypto';
import { jidSha1, ownerFromSha1, sha1FromOwner } from '../../../base/owners.ts';
import type { Queryable } from '../database.ts';

/** Change of the counters of an owner, and of the totals. */
export interface UsageDelta {
  readonly uploads: number;
  readonly bytes: number;
  readonly pendingUploads: number;
  readonly pendingBytes: number;
}

export const NO_USAGE: UsageDelta = { uploads: 0, bytes: 0, pendingUploads: 0, pendingBytes: 0 };

/** Counters of an owner whose row is locked by this transaction. */
export interface OwnerAccount {
  readonly id: number;
  readonly uploads: number;
  readonly bytes: number;
  readonly pendingUploads: number;
  readonly pendingBytes: number;
}

/** Rows of `totals`. */
export const SHARDS = 16;

/** Returns the row of `totals` that counts an owner. The rows are sharded, so that owners rarely wait for each other. */
export const totalsShard = (ownerId: number) => ownerId % SHARDS;

/** Ids fit the 32-bit `integer` of both engines. They are random, so that new owners need no shared counter. */
const ID_LIMIT = 2 ** 31;
const newOwnerId = () => randomInt(1, ID_LIMIT);

/** The counters of an owner as a `UsageDelta`. */
export const USAGE = 'uploads, bytes, pending_uploads as "pendingUploads", pending_bytes as "pendingBytes"';
/** An `OwnerAccount`. */
export const ACCOUNT = `id, ${USAGE}`;

export async function readAccount(q: Queryable, id: number): Promise<OwnerAccount> {
  const [account] = await q.query<OwnerAccount>(`select ${ACCOUNT} from owners where id = $1`, [id]);
  if (!account) throw new Error(`Owner ${id} has no row.`);
  return account;
}

/**
 * Returns the account of an owner, and inserts the owner if needed. Locks the owner's row until the transaction ends, so that the
 * limits that are checked meanwhile hold. `isNew`: the owner was inserted.
 */
export async function lockAccount(
  q: Queryable,
  name: string,
  newId: () => number = newOwnerId,
): Promise<{ account: OwnerAccount; isNew: boolean }> {
  const lock = q.isConcurrent ? 'for no key update' : '';
  for (let isNew = false; ; ) {
    const [account] = await q.query<OwnerAccount>(`select ${ACCOUNT} from owners where name = $1 ${lock}`, [
      name,
    ]);
    if (account) return { account, isNew };
    isNew = await insertOwner(q, name, newId());
  }
}

/** Charges stored uploads to an owner, and inserts the owner if needed. Negative counts refund uploads. */
export async function chargeStored(
  q: Queryable,
  name: string,
  charge: { uploads: number; bytes: number; lastUploadAt: number },
  newId: () => number = newOwnerId,
): Promise<{ account: OwnerAccount; isNew: boolean }> {
  for (let isNew = false; ; ) {
    const [account] = await q.query<OwnerAccount>(
      `update owners set uploads = uploads + $2, bytes = bytes + $3,
         last_upload_at = case when coalesce(last_upload_at, 0) < $4 then $4 else last_upload_at end
        where name = $1 returning ${ACCOUNT}`,
      [name, charge.uploads, charge.bytes, charge.lastUploadAt],
    );
    if (account) return { account, isNew };
    isNew = await insertOwner(q, name, newId());
  }
}

/** Returns false if the id or name was inserted meanwhile, or the owner was known by its hash and is now renamed. */
async function insertOwner(q: Queryable, name: string, id: number): Promise<boolean> {
  const sha1 = sha1FromOwner(name) ?? jidSha1(name);
  if (sha1FromOwner(name) === undefined && (await renameHashedOwner(q, name, sha1))) return false;
  const inserted = await q.query(
    'insert into owners (id, name, sha1) values ($1, $2, $3) on conflict do nothing returning id',
    [id, name, sha1],
  );
  if (inserted.length === 0) return false;
  await q.query('update totals set owners = owners + 1 where shard = $1', [totalsShard(id)]);
  return true;
}

/** Renames an owner that was known by the hash of its JID only, as after an import. Its uploads and counters are kept. */
async function renameHashedOwner(q: Queryable, name: string, sha1: string): Promise<boolean> {
  const renamed = await q.query('update owners set name = $1 where name = $2 returning id', [
    name,
    ownerFromSha1(sha1),
  ]);
  return renamed.length > 0;
}

/** Deletes an owner without uploads and removal records. Subtracts its counters, which may be wrong, from the totals. */
export async function deleteOwner(q: Queryable, id: number): Promise<void> {
  await q.query('delete from upload_rates where owner_id = $1', [id]);
  await q.query('delete from owner_purposes where owner_id = $1', [id]);
  const [rest] = await q.query<UsageDelta>(`delete from owners where id = $1 returning ${USAGE}`, [id]);
  if (!rest) return;
  const { uploads, bytes, pendingUploads, pendingBytes } = rest;
  await q.query(
    `update totals set owners = owners - 1, uploads = uploads - $2, bytes = bytes - $3,
       pending_uploads = pending_uploads - $4, pending_bytes = pending_bytes - $5 where shard = $1`,
    [totalsShard(id), uploads, bytes, pendingUploads, pendingBytes],
  );
}

/** Turns a pending upload of an owner into a stored one. */
export async function settlePending(
  q: Queryable,
  id: number,
  { size, reservedSize, storedAt }: { size: number; reservedSize: number; storedAt: number },
): Promise<void> {
  await q.execute(
    `update owners set uploads = uploads + 1, bytes = bytes + $2, pending_uploads = pending_uploads - 1,
       pending_bytes = pending_bytes - $3, last_upload_at = $4 where id = $1`,
    [id, size, reservedSize, storedAt],
  );
}

/** Charges an upload that is stored at once. */
export async function addStored(
  q: Queryable,
  id: number,
  { size, storedAt }: { size: number; storedAt: number },
): Promise<void> {
  await q.execute(
    'update owners set uploads = uploads + 1, bytes = bytes + $2, last_upload_at = $3 where id = $1',
    [id, size, storedAt],
  );
}

/** Charges an upload whose bytes have not arrived yet. `adjustOwner` would also update the index by stored bytes. */
export async function addPending(q: Queryable, id: number, size: number): Promise<void> {
  await q.execute(
    'update owners set pending_uploads = pending_uploads + 1, pending_bytes = pending_bytes + $2 where id = $1',
    [id, size],
  );
}

export async function adjustOwner(q: Queryable, id: number, delta: UsageDelta): Promise<void> {
  await q.execute(
    `update owners set uploads = uploads + $2, bytes = bytes + $3,
       pending_uploads = pending_uploads + $4, pending_bytes = pending_bytes + $5 where id = $1`,
    [id, delta.uploads, delta.bytes, delta.pendingUploads, delta.pendingBytes],
  );
}

/** Adjusts the counters that are not in the owner's row: those of the purpose, and the totals. */
export async function adjustPurposeAndTotals(
  q: Queryable,
  id: number,
  purpose: string,
  delta: UsageDelta,
): Promise<void> {
  await adjustPurpose(q, id, purpose, delta);
  await adjustTotals(q, id, delta);
}

export async function adjustPurpose(
  q: Queryable,
  id: number,
  purpose: string,
  delta: Pick<UsageDelta, 'bytes' | 'pendingBytes'>,
): Promise<void> {
  if (purpose === '') return;
  await q.execute(
    `insert into owner_purposes (owner_id, purpose, bytes, pending_bytes) values ($1, $2, $3, $4)
      on conflict (owner_id, purpose) do update set bytes = owner_purposes.bytes + excluded.bytes,
        pending_bytes = owner_purposes.pending_bytes + excluded.pending_bytes`,
    [id, purpose, delta.bytes, delta.pendingBytes],
  );
}

export async function adjustTotals(q: Queryable, id: number, delta: UsageDelta): Promise<void> {
  await q.execute(
    `update totals set uploads = uploads + $2, bytes = bytes + $3,
       pending_uploads = pending_uploads + $4, pending_bytes = pending_bytes + $5 where shard = $1`,
    [totalsShard(id), delta.uploads, delta.bytes, delta.pendingUploads, delta.pendingBytes],
  );
}

export async function adjustRemovalCount(q: Queryable, added: number): Promise<void> {
  await q.query('update totals set removals = removals + $1 where shard = 0', [added]);
}

/** Makes concurrent reservations wait for each other, so that the sum of the totals cannot change before the commit. */
export async function lockTotals(q: Queryable): Promise<void> {
  if (q.isConcurrent) await q.execute('update totals set owners = owners where shard = 0');
}

/** A column with the bytes of all owners, pending ones included. */
export const GLOBAL_BYTES =
  '(select cast(sum(bytes + pending_bytes) as bigint) from totals) as "globalBytes"';

/** Returns the bytes of all owners, pending ones included. */
export async function readGlobalBytes(q: Queryable): Promise<number> {
  const [row] = await q.query<{ globalBytes: number }>(`select ${GLOBAL_BYTES}`);
  return row?.globalBytes ?? 0;
}

export interface PurposeBytes {
  readonly purpose: string;
  readonly bytes: number;
  readonly pendingBytes: number;
}

/** Returns the owner's bytes by purpose. `''` gets the bytes that belong to no named purpose. */
export async function readPurposeBytes(
  q: Queryable,
  account: Pick<OwnerAccount, 'id' | 'bytes' | 'pendingBytes'>,
): Promise<PurposeBytes[]> {
  const named = await q.query<PurposeBytes>(
    `select purpose, bytes, pending_bytes as "pendingBytes" from owner_purposes where owner_id = $1`,
    [account.id],
  );
  const sum = (key: 'bytes' | 'pendingBytes') => named.reduce((total, row) => total + row[key], 0);
  const rest = {
    bytes: account.bytes - sum('bytes'),
    pendingBytes: account.pendingBytes - sum('pendingBytes'),
  };
  return [{ purpose: '', ...rest }, ...named];
}
