import assert from 'node:assert/strict';
import { test } from 'node:test';
import { attemptBlobKey, slotBlobKey } from '../../../src/base/blob-keys.ts';
import { timeOrderedId } from '../../../src/base/ids.ts';
import type { Upload } from '../../../src/base/upload-records.ts';
import {
  type Heartbeat,
  type Ledger,
  type Lifetimes,
  type Limits,
  type Reservation,
  type ReserveResult,
  unlimited,
} from '../../../src/ledger/contract/ledger.ts';

/** An empty ledger for one test. */
export interface TestLedger {
  readonly ledger: Ledger;
  /** Opens the same store again, as another process does. The test closes it. */
  openAgain(): Promise<Ledger>;
  /** Closes the ledger and deletes the store. */
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

/** A limit on the stored bytes of an owner. */
export const kept = { ownerBytes: 1000 };
/** Returns a limit on the bytes that an owner uploads within an hour. */
export const hourly = (bytes: number) => ({ bytesPer: { period: HOUR, bytes } });

/** Uploads without a purpose expire after 30 days; profile pictures do not expire. */
export const lifetimes: Lifetimes = {
  '': { maxAge: 30 * DAY, evictable: true },
  profile: { maxAge: null, evictable: false },
  ephemeral: { maxAge: 7 * DAY, evictable: true },
};

type ReservationOptions = Partial<Omit<Reservation, 'limits' | 'upload'>> & {
  readonly upload?: Partial<Reservation['upload']>;
  readonly limits?: Partial<Limits>;
};

/** Returns a reservation of 100 bytes by Juliet without limits, if `options` do not change it. */
export function reservation(options: ReservationOptions = {}): Reservation {
  const now = options.now ?? NOW;
  const id = options.upload?.id ?? timeOrderedId(now);
  return {
    putKey: `key of ${id}`,
    evict: false,
    lifetimes,
    ledgerTime: now,
    ...options,
    now,
    limits: { ...unlimited, ...options.limits },
    upload: {
      id,
      locator: id,
      owner: JULIET,
      endpoint: 'component',
      purpose: '',
      name: 'balcony.jpg',
      type: 'image/jpeg',
      size: 100,
      blob: slotBlobKey(id, 'jpg'),
      deadline: now + SLOT_TIME,
      expiresAt: null,
      ...options.upload,
    },
  };
}

/** Returns the id, token and blob key of an attempt to fill the slot of a `reservation`. */
export function attempt(id: string, token: string): { id: string; token: string; blob: string } {
  return { id, token, blob: attemptBlobKey(slotBlobKey(id, 'jpg'), token) };
}

/** Reserves a slot and returns its id. */
export async function issue(ledger: Ledger, options: ReservationOptions = {}): Promise<string> {
  const order = reservation(options);
  assert.equal((await ledger.reserve(order)).granted, true);
  return order.upload.id;
}

/** Reserves, claims and stores an upload, and returns its id. */
export async function store(ledger: Ledger, options: ReservationOptions = {}): Promise<string> {
  const order = reservation(options);
  assert.equal((await ledger.reserve(order)).granted, true);
  await storeSlot(ledger, order.upload.id, { now: order.now, size: order.upload.size });
  return order.upload.id;
}

/** Returns a heartbeat at the time `ledgerTime`, of a process with the pid 1 on the machine `h`. */
export function heartbeatOf(id: string, ledgerTime: number): Heartbeat {
  const machine = { host: 'h', machineId: 'm', bootId: 'b', pidNamespace: 'n' };
  return { id, pid: 1, ...machine, clockSkewMs: null, ledgerTime };
}

/** Claims and stores an issued slot. */
export async function storeSlot(
  ledger: Ledger,
  id: string,
  { now = NOW, size = 100, instance = 'here' }: { now?: number; size?: number; instance?: string } = {},
): Promise<void> {
  await claimSlot(ledger, id, { now, instance });
  assert.equal(await ledger.commit({ ...attempt(id, `token of ${id}`), now, size }), true);
}

/** Claims a slot and leaves it in `receiving`. */
export async function claimSlot(
  ledger: Ledger,
  id: string,
  { now = NOW, instance = 'here' }: { now?: number; instance?: string } = {},
): Promise<Upload> {
  const order = { by: { putKey: `key of ${id}` }, token: `token of ${id}`, instance, now, ledgerTime: now };
  const claimed = await ledger.claim(order);
  assert.equal(claimed.outcome, 'claimed');
  assert.ok('upload' in claimed);
  return claimed.upload;
}

export type Refused = Exclude<ReserveResult, { granted: true } | { limit: 'locator' | 'batch' }>;

/** Returns the refusal of a reservation that exceeds a limit. */
export async function refused(ledger: Ledger, options: ReservationOptions): Promise<Refused> {
  const answer = await ledger.reserve(reservation(options));
  assert.ok(
    !answer.granted && answer.limit !== 'locator' && answer.limit !== 'batch',
    `expected a refusal: ${JSON.stringify(answer)}`,
  );
  return answer;
}

/** The result of `forget` for an owner without uploads, records and messages. */
export const FORGOT_NOTHING = { removed: 0, bytes: 0, locators: [], left: 0 };

/** Defines a test with an empty ledger. */
export function ledgerTest(
  open: OpenTestLedger,
  title: string,
  work: (ledger: Ledger, opened: TestLedger) => Promise<void>,
): void {
  test(title, async () => {
    const opened = await open();
    try {
      await work(opened.ledger, opened);
    } finally {
      await opened.close();
    }
  });
}

/** Checks all counters against the rows. */
export async function checkCounters(ledger: Ledger): Promise<void> {
  const owners = await ledger.listOwners({ limit: 10_000 });
  for (const { owner } of owners) {
    assert.equal(await ledger.recount({ owner, repair: false }), false, `the counters of ${owner} are wrong`);
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
