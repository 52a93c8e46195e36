import type { Queryable } from './database.ts';
import {
  adjustOwner,
  adjustPurpose,
  adjustTotals,
  NO_USAGE,
  USAGE,
  type UsageDelta,
} from './quota/accounts.ts';

interface PurposeCount extends UsageDelta {
  readonly purpose: string;
}

/** Implements `QuotaStore.recount`. Reads all uploads of the owner. */
export async function recountOwner(
  q: Queryable,
  order: { owner: string; repair: boolean },
): Promise<boolean> {
  // An update, because it locks the row. Every transaction that changes uploads of the owner also updates this row, so none
  // commits between this statement and the counts below.
  const [owner] = await q.query<UsageDelta & { id: number }>(
    `update owners set name = name where name = $1 returning id, ${USAGE}`,
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

const combine = (a: UsageDelta, b: UsageDelta, sign: 1 | -1): UsageDelta => ({
  uploads: a.uploads + sign * b.uploads,
  bytes: a.bytes + sign * b.bytes,
  pendingUploads: a.pendingUploads + sign * b.pendingUploads,
  pendingBytes: a.pendingBytes + sign * b.pendingBytes,
});

const total = (parts: readonly UsageDelta[]) => parts.reduce((sum, part) => combine(sum, part, 1), NO_USAGE);
const difference = (should: UsageDelta, is: UsageDelta) => combine(should, is, -1);
const isNothing = (delta: UsageDelta) => Object.values(delta).every((value) => value === 0);
