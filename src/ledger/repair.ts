import { adjustOwner, adjustPurpose, adjustRest, adjustTotals, type Delta } from './accounts.ts';
import type { Queryable } from './database.ts';
import type { UploadRow } from './rows.ts';

/** See `Ledger.correctSize`. */
export async function correctSize(q: Queryable, order: { id: string; size: number }): Promise<boolean> {
  const { id, size } = order;
  const [row] = await q.query<UploadRow>("select * from uploads where id = $1 and state = 'stored'", [id]);
  if (!row) return false;
  await q.query('update uploads set size = $2 where id = $1', [id, size]);
  const delta: Delta = { uploads: 0, bytes: size - row.size, pendingUploads: 0, pendingBytes: 0 };
  await adjustOwner(q, row.owner_id, delta);
  await adjustRest(q, row.owner_id, row.purpose, delta);
  return true;
}

interface PurposeCount extends Delta {
  readonly purpose: string;
}

/** See `Ledger.recount`. Costs as much as the owner has uploads. */
export async function recount(q: Queryable, order: { owner: string; repair: boolean }): Promise<boolean> {
  const [owner] = await q.query<Delta & { id: number }>(
    `select id, uploads, bytes, pending_uploads as "pendingUploads", pending_bytes as "pendingBytes"
      from owners where name = $1`,
    [order.owner],
  );
  if (!owner) return false;
  const counted = await countPurposes(q, owner.id);
  const whole = difference(total(counted), owner);
  const parts = await wrongPurposes(q, owner.id, counted);
  if (isNothing(whole) && parts.length === 0) return false;
  if (order.repair) {
    await adjustOwner(q, owner.id, whole);
    await adjustTotals(q, owner.id, whole);
    for (const part of parts) await adjustPurpose(q, owner.id, part.purpose, part);
  }
  return true;
}

async function countPurposes(q: Queryable, ownerId: number): Promise<PurposeCount[]> {
  const when = (stored: '=' | '<>', what: string) =>
    `cast(sum(case when state ${stored} 'stored' then ${what} else 0 end) as bigint)`;
  const own = (stored: '=' | '<>') =>
    `select purpose, state, size from uploads where owner_id = $1 and state ${stored} 'stored'`;
  return await q.query<PurposeCount>(
    `select purpose, ${when('=', '1')} as uploads, ${when('=', 'size')} as bytes,
       ${when('<>', '1')} as "pendingUploads", ${when('<>', 'size')} as "pendingBytes"
      from (${own('=')} union all ${own('<>')}) as own group by purpose`,
    [ownerId],
  );
}

type PurposeDelta = Pick<PurposeCount, 'purpose' | 'bytes' | 'pendingBytes'>;

async function wrongPurposes(
  q: Queryable,
  ownerId: number,
  counted: readonly PurposeCount[],
): Promise<PurposeDelta[]> {
  const kept = await q.query<PurposeDelta>(
    `select purpose, bytes, pending_bytes as "pendingBytes" from owner_purposes where owner_id = $1`,
    [ownerId],
  );
  const names = new Set([...kept, ...counted].map(({ purpose }) => purpose));
  names.delete('');
  return [...names]
    .map((purpose) => {
      const is = kept.find((row) => row.purpose === purpose);
      const should = counted.find((row) => row.purpose === purpose);
      return {
        purpose,
        bytes: (should?.bytes ?? 0) - (is?.bytes ?? 0),
        pendingBytes: (should?.pendingBytes ?? 0) - (is?.pendingBytes ?? 0),
      };
    })
    .filter(({ bytes, pendingBytes }) => bytes !== 0 || pendingBytes !== 0);
}

const zero: Delta = { uploads: 0, bytes: 0, pendingUploads: 0, pendingBytes: 0 };

const combine = (a: Delta, b: Delta, sign: 1 | -1): Delta => ({
  uploads: a.uploads + sign * b.uploads,
  bytes: a.bytes + sign * b.bytes,
  pendingUploads: a.pendingUploads + sign * b.pendingUploads,
  pendingBytes: a.pendingBytes + sign * b.pendingBytes,
});

const total = (parts: readonly Delta[]) => parts.reduce((sum, part) => combine(sum, part, 1), zero);
const difference = (should: Delta, is: Delta) => combine(should, is, -1);
const isNothing = (delta: Delta) => Object.values(delta).every((value) => value === 0);
