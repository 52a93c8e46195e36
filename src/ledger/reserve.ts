import type { Upload } from '../base/records.ts';
import {
  type Account,
  accountOf,
  adjustOwner,
  adjustRest,
  chargePending,
  dropOwner,
  purposesOf,
} from './accounts.ts';
import { voidIfOver } from './claims.ts';
import type { Reservation, Reserved } from './contract.ts';
import type { Queryable } from './database.ts';
import { reclaim, storedPurposes } from './endings.ts';
import { evict, planEviction } from './evict.ts';
import { excessOf, type Obstacle, obstacleFreesAt, obstaclesOf } from './obstacles.ts';
import { chargeRates, ratedBy } from './rates.ts';
import type { RemovalRow } from './rows.ts';
import { byLocator, type OwnedRow, removalOf, selectRemovals, selectUploads, uploadOf } from './rows.ts';

/** Ended rows that one reservation in need of room takes with it. */
const RECLAIMED_AT_ONCE = 2000;

type Refused = Exclude<Reserved, { granted: true }>;

/** See `Ledger.reserve`. The owner's row is charged first, which locks it, and discharged where a limit refuses. */
export async function reserve(q: Queryable, r: Reservation, newId?: () => number): Promise<Reserved> {
  const taken = await takenLocator(q, r);
  if (taken) return taken;
  const { size } = r.upload;
  const { account, isNew } = await chargePending(q, r.upload.owner, size, newId);
  const refused = await makeRoom(q, account, r);
  if (!refused) {
    await addRow(q, account, r);
    return { granted: true };
  }
  await adjustOwner(q, account.id, { uploads: 0, bytes: 0, pendingUploads: -1, pendingBytes: -size });
  if (isNew) await dropOwner(q, account.id);
  return refused;
}

async function takenLocator(q: Queryable, r: Reservation): Promise<Refused | undefined> {
  const { locator, id } = r.upload;
  const [row] = await q.query<OwnedRow>(`${selectUploads} where ${byLocator}`, [locator]);
  if (row && !(await voidIfOver(q, row, r.now))) return inUse({ upload: uploadOf(row, row.owner) });
  // A slot that nobody filled in time takes nothing from a link that may come again.
  const [removal] = await q.query<RemovalRow>(
    `${selectRemovals} where locator = $1 and reason <> 'unused' order by removed_at desc limit 1`,
    [locator],
  );
  if (removal) return inUse({ removal: removalOf(removal) });
  if (locator === id) return undefined;
  const [twin] = await q.query<OwnedRow>(`${selectUploads} where uploads.id = $1`, [id]);
  return twin && inUse({ upload: uploadOf(twin, twin.owner) });
}

const inUse = (by: { upload: Upload } | { removal: ReturnType<typeof removalOf> }): Refused => ({
  granted: false,
  limit: 'locator',
  ...by,
});

/** Undefined once the reservation fits under every limit. */
async function makeRoom(q: Queryable, account: Account, r: Reservation): Promise<Refused | undefined> {
  if ((await obstaclesOf(q, account, r)).length === 0) return undefined;
  await reclaimFor(q, account, r);
  const now = await accountOf(q, account.id);
  const obstacles = await obstaclesOf(q, now, r);
  const blocking = obstacles.filter((obstacle) => excessOf(obstacle) > obstacle.evictable);
  const plan = blocking.every(({ limit }) => limit === 'globalBytes')
    ? await planEviction(q, now, r, obstacles)
    : { ids: [], bytes: 0 };
  const left = blocking.filter((obstacle) => excessOf(obstacle) > plan.bytes);
  if (left.length > 0) return await refusal(q, now, r, left);
  await evict(q, plan, r.now);
  return undefined;
}

/** Room was promised for the moment at which something ends, not for the sweep after it. */
async function reclaimFor(q: Queryable, account: Account, r: Reservation): Promise<void> {
  const { lifetimes, now } = r;
  const limit = RECLAIMED_AT_ONCE;
  const own = (await purposesOf(q, account)).map(({ purpose }) => purpose);
  await reclaim(q, { ownerId: account.id, purposes: own, lifetimes, now, limit });
  const obstacles = await obstaclesOf(q, await accountOf(q, account.id), r);
  if (!obstacles.some((obstacle) => obstacle.limit === 'globalBytes')) return;
  await reclaim(q, { purposes: await storedPurposes(q), lifetimes, now, limit });
}

/** Of several limits in the way the one that is there longest: the promised moment holds for all of them. */
async function refusal(
  q: Queryable,
  account: Account,
  r: Reservation,
  obstacles: readonly Obstacle[],
): Promise<Refused> {
  const refusals = await Promise.all(
    obstacles.map(async (obstacle) => {
      const { limit, used, allowed } = obstacle;
      const freesAt = await obstacleFreesAt(q, account, r, obstacle);
      return { granted: false, limit, used, allowed, freesAt } as const;
    }),
  );
  const when = ({ freesAt }: { freesAt: number | null }) => freesAt ?? Number.POSITIVE_INFINITY;
  return refusals.reduce((last, next) => (when(next) > when(last) ? next : last));
}

async function addRow(q: Queryable, account: Account, r: Reservation): Promise<void> {
  const { upload, claim = null, now } = r;
  const { id, locator, size, purpose } = upload;
  const rated = ratedBy(r.limits);
  await q.query(
    `insert into uploads (id, locator, put_key, owner_id, door, purpose, name, type, size, state, blob,
       created_at, deadline, stored_at, expires_at, claim, instance, claimed_at, touched, claimed_with, rated)
      values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, null, $14, $15, $16, $17, $18, $18, $19)`,
    [
      id,
      locator === id ? null : locator,
      r.putKey,
      account.id,
      upload.door,
      purpose,
      upload.name,
      upload.type,
      size,
      claim ? 'receiving' : 'issued',
      upload.blob,
      now,
      upload.deadline,
      upload.expiresAt,
      claim?.token ?? null,
      claim?.instance ?? null,
      claim ? now : null,
      claim ? 1 : 0,
      rated,
    ],
  );
  await chargeRates(q, { owner_id: account.id, created_at: now, size, rated });
  await adjustRest(q, account.id, purpose, { uploads: 0, bytes: 0, pendingUploads: 1, pendingBytes: size });
}
