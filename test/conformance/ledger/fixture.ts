import assert from 'node:assert/strict';
import { test } from 'node:test';
import { timeOrderedId } from '../../../src/base/ids.ts';
import type { Upload } from '../../../src/base/upload-records.ts';
import {
  type Ledger,
  type Lifetimes,
  type Limits,
  type Reservation,
  type ReserveResult,
  unlimited,
} from '../../../src/ledger/contract/ledger.ts';

/** An empty ledger that the suite may fill. */
export interface TestLedger {
  readonly ledger: Ledger;
  /** The same store once more, as another process would open it. The suite closes it. */
  openAgain(): Promise<Ledger>;
  /** Closes the ledger and removes the store. */
  close(): Promise<void>;
}

export type OpenTestLedger = () => Promise<TestLedger>;

export const NOW = 1_800_000_000_000;
export const SECOND = 1000;
export const HOUR = 3600 * SECOND;
export const DAY = 24 * HOUR;
export const SLOT_TIME = 360 * SECOND;
export const JULIET = 'juliet@example.org';
export const ROMEO = 'romeo@example.org';

/** Messages live for 30 days, profile pictures for ever. */
export const lifetimes: Lifetimes = {
  '': { maxAge: 30 * DAY, evictable: true },
  profile: { maxAge: null, evictable: false },
  ephemeral: { maxAge: 7 * DAY, evictable: true },
};

type Wish = Partial<Omit<Reservation, 'limits' | 'upload'>> & {
  readonly upload?: Partial<Reservation['upload']>;
  readonly limits?: Partial<Limits>;
};

/** A reservation of 100 bytes by Juliet, without limits, but for what is wished otherwise. */
export function reservation(wish: Wish = {}): Reservation {
  const now = wish.now ?? NOW;
  const id = wish.upload?.id ?? timeOrderedId(now);
  return {
    putKey: `key of ${id}`,
    evict: false,
    lifetimes,
    ...wish,
    now,
    limits: { ...unlimited, ...wish.limits },
    upload: {
      id,
      locator: id,
      owner: JULIET,
      endpoint: 'component',
      purpose: '',
      name: 'balcony.jpg',
      type: 'image/jpeg',
      size: 100,
      blob: `${id.slice(0, 2)}/${id}.jpg`,
      deadline: now + SLOT_TIME,
      expiresAt: null,
      ...wish.upload,
    },
  };
}

/** Reserves and returns the id; fails where it is refused. */
export async function issue(ledger: Ledger, wish: Wish = {}): Promise<string> {
  const order = reservation(wish);
  assert.deepEqual(await ledger.reserve(order), { granted: true });
  return order.upload.id;
}

/** Reserves, claims and stores; returns the id. */
export async function store(ledger: Ledger, wish: Wish = {}): Promise<string> {
  const order = reservation(wish);
  assert.deepEqual(await ledger.reserve(order), { granted: true });
  await storeSlot(ledger, order.upload.id, { now: order.now, size: order.upload.size });
  return order.upload.id;
}

/** Claims and stores a slot that was issued before. */
export async function storeSlot(
  ledger: Ledger,
  id: string,
  { now = NOW, size = 100, instance = 'here' }: { now?: number; size?: number; instance?: string } = {},
): Promise<void> {
  await claimSlot(ledger, id, { now, instance });
  assert.equal(await ledger.commit({ id, token: `token of ${id}`, now, size }), true);
}

/** Claims a slot and leaves it in `receiving`. */
export async function claimSlot(
  ledger: Ledger,
  id: string,
  { now = NOW, instance = 'here' }: { now?: number; instance?: string } = {},
): Promise<Upload> {
  const order = { by: { putKey: `key of ${id}` }, token: `token of ${id}`, instance, now };
  const claimed = await ledger.claim(order);
  assert.equal(claimed.outcome, 'claimed');
  assert.ok('upload' in claimed);
  return claimed.upload;
}

export type Refused = Exclude<ReserveResult, { granted: true } | { limit: 'locator' }>;

/** The refusal of a reservation that some limit must refuse. */
export async function refused(ledger: Ledger, wish: Wish): Promise<Refused> {
  const answer = await ledger.reserve(reservation(wish));
  assert.ok(!answer.granted && answer.limit !== 'locator', `expected a refusal: ${JSON.stringify(answer)}`);
  return answer;
}

/** A test with a ledger of its own. */
export function ledgerTest(
  open: OpenTestLedger,
  says: string,
  work: (ledger: Ledger, opened: TestLedger) => Promise<void>,
): void {
  test(says, async () => {
    const opened = await open();
    try {
      await work(opened.ledger, opened);
    } finally {
      await opened.close();
    }
  });
}

/** Every counter must say what its rows add up to. */
export async function checkCounters(ledger: Ledger): Promise<void> {
  const owners = await ledger.listOwners({ limit: 10_000 });
  for (const { owner } of owners) {
    assert.equal(await ledger.recount({ owner, repair: false }), false, `the books of ${owner} are wrong`);
  }
  const { owners: count, removals, ...totals } = await ledger.stats();
  const sum = (key: keyof typeof totals) => owners.reduce((all, one) => all + one[key], 0);
  assert.equal(count, owners.length);
  assert.equal(removals, (await ledger.listRemovals({ limit: 10_000 })).length);
  assert.deepEqual(totals, {
    uploads: sum('uploads'),
    bytes: sum('bytes'),
    pendingUploads: sum('pendingUploads'),
    pendingBytes: sum('pendingBytes'),
  });
}
