import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { randomId } from '../../../src/base/ids.ts';
import type { Ledger, Lifetimes, Limits, ReserveResult } from '../../../src/ledger/contract/ledger.ts';
import { attempt, checkCounters, NOW, type OpenTestLedger, reservation, SECOND } from './fixture.ts';

/** Small values, so that expiries, limits and periods coincide often. */
const short: Lifetimes = {
  '': { maxAge: 50 * SECOND, evictable: true },
  brief: { maxAge: 12 * SECOND, evictable: true },
  kept: { maxAge: null, evictable: false },
  // Limited, but long enough to block an eviction.
  held: { maxAge: 40 * SECOND, evictable: false },
};

const orNull = <T>(some: fc.Arbitrary<T>) => fc.option(some, { nil: null, freq: 2 });
const size = fc.integer({ min: 1, max: 40 });
const period = fc.integer({ min: 1, max: 60 }).map((seconds) => seconds * SECOND);
const ownLimits: fc.Arbitrary<Limits> = fc.record({
  ownerBytes: orNull(fc.integer({ min: 20, max: 150 })),
  ownerFiles: orNull(fc.integer({ min: 1, max: 8 })),
  purposeBytes: orNull(fc.integer({ min: 20, max: 150 })),
  bytesPer: orNull(fc.record({ period, bytes: fc.integer({ min: 20, max: 150 }) })),
  uploadsPer: orNull(fc.record({ period, uploads: fc.integer({ min: 1, max: 6 }) })),
  globalBytes: fc.constant(null),
});

const action = fc.oneof(
  {
    weight: 5,
    arbitrary: fc.record({
      kind: fc.constant('reserve' as const),
      size,
      purpose: fc.constantFrom('', 'brief', 'kept', 'held', 'not configured'),
      slotTime: fc.integer({ min: 1, max: 20 * SECOND }),
      lifetimeMs: orNull(fc.integer({ min: 1, max: 60 * SECOND })),
      withClaim: fc.boolean(),
    }),
  },
  {
    weight: 4,
    arbitrary: fc.record({ kind: fc.constant('store' as const), which: fc.nat(), size: orNull(size) }),
  },
  {
    weight: 1,
    arbitrary: fc.record({ kind: fc.constantFrom('claim', 'release', 'remove'), which: fc.nat() }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      kind: fc.constantFrom('unused', 'expires_at', 'max_age', 'soft_quota', 'dead_claims', 'upload_rates'),
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({
      kind: fc.constant('wait' as const),
      ms: fc.integer({ min: 0, max: 15 * SECOND }),
    }),
  },
);

type Action = typeof action extends fc.Arbitrary<infer T> ? T : never;

/** Runs the actions of one owner one after the other. */
class OwnerRun {
  readonly ledger: Ledger;
  readonly limits: Limits;
  readonly evict: boolean;
  readonly owner = `${randomId()}@example.org`;
  readonly slots: { id: string; token: string }[] = [];
  now = NOW;

  constructor(ledger: Ledger, limits: Limits, evict: boolean) {
    this.ledger = ledger;
    this.limits = limits;
    this.evict = evict;
  }

  async runAll(actions: readonly Action[]): Promise<void> {
    for (const one of actions) await this.run(one);
  }

  async run(one: Action): Promise<void> {
    if ('ms' in one) this.now += one.ms;
    else if (one.kind === 'reserve' && 'slotTime' in one) await this.reserve(one);
    else if ('which' in one) await this.changeSlot(one);
    else await this.sweep(one.kind);
  }

  async reserve(one: Extract<Action, { kind: 'reserve'; slotTime: number }>): Promise<void> {
    const token = randomId();
    const order = this.order(one.size, one.purpose, {
      deadline: this.now + one.slotTime,
      expiresAt: one.lifetimeMs === null ? null : this.now + one.lifetimeMs,
    });
    const claim = one.withClaim ? { claim: { instance: 'here', token } } : {};
    const { granted } = await this.ledger.reserve({ ...order, ...claim });
    if (granted) this.slots.push({ id: order.upload.id, token });
  }

  order(bytes: number, purpose: string, more: { deadline: number; expiresAt: number | null }) {
    const { owner, limits, evict, now } = this;
    const upload = { owner, size: bytes, purpose, ...more };
    return reservation({ upload, limits, evict, now, lifetimes: short });
  }

  async changeSlot(one: Extract<Action, { which: number }>): Promise<void> {
    const slot = this.slots[one.which % Math.max(1, this.slots.length)];
    if (!slot) return;
    const { ledger, now } = this;
    const { id, token } = slot;
    if (one.kind === 'remove') await ledger.remove({ ids: [id], reason: 'deleted', detail: '', now });
    if (one.kind === 'release') await ledger.release({ ...attempt(id, token), now });
    if (one.kind === 'claim' || one.kind === 'store') {
      await ledger.claim({ by: { putKey: `key of ${id}` }, token, instance: 'here', now, ledgerTime: now });
    }
    if (one.kind !== 'store' || !('size' in one)) return;
    const known = await ledger.findByPutKey(`key of ${id}`);
    // Endpoints store at most the declared size.
    if (known)
      await ledger.commit({ ...attempt(id, token), now, size: Math.min(one.size ?? known.size, known.size) });
  }

  async sweep(kind: string): Promise<void> {
    const { ledger, now } = this;
    const step = { limit: 3, now, detail: 'swept' };
    if (kind === 'unused' || kind === 'expires_at' || kind === 'upload_rates')
      await ledger.sweep({ ...step, kind });
    if (kind === 'dead_claims') await ledger.sweep({ ...step, kind, ledgerTime: now + 30 * SECOND });
    if (kind === 'soft_quota') await ledger.sweep({ ...step, kind, bytes: 90, lifetimes: short });
    if (kind === 'max_age') {
      await ledger.sweep({ ...step, kind, purpose: 'brief', maxAge: 12 * SECOND });
    }
  }

  /** Reserves a slot at a given time. */
  async reserveAt(bytes: number, purpose: string, at: number): Promise<ReserveResult> {
    this.now = at;
    return await this.ledger.reserve(this.order(bytes, purpose, { deadline: at + SECOND, expiresAt: null }));
  }
}

const TEN_YEARS_MS = 10 * 365 * 86_400 * SECOND;

/** Checks that `retryAt` is exact to the millisecond, and that waiting never helps if it is null. */
async function checkRetryAt(run: OwnerRun, bytes: number, purpose: string): Promise<void> {
  const first = await run.reserveAt(bytes, purpose, run.now);
  if (first.granted || first.limit === 'locator' || first.limit === 'batch') return;
  if (first.retryAt === null) {
    const later = await run.reserveAt(bytes, purpose, run.now + TEN_YEARS_MS);
    assert.equal(later.granted, false, 'retryAt is null, but the reservation fits later');
    return;
  }
  assert.ok(first.retryAt > run.now);
  const early = await run.reserveAt(bytes, purpose, first.retryAt - 1);
  assert.ok(
    !early.granted && early.limit !== 'locator' && early.limit !== 'batch',
    'the reservation fits before retryAt',
  );
  assert.equal(early.retryAt, first.retryAt);
  assert.equal((await run.reserveAt(bytes, purpose, first.retryAt)).granted, true);
}

async function withLedger(open: OpenTestLedger, work: (ledger: Ledger) => Promise<void>): Promise<void> {
  const opened = await open();
  try {
    await work(opened.ledger);
  } finally {
    await opened.close();
  }
}

const actions = fc.array(action, { minLength: 5, maxLength: 40 });
const purpose = fc.constantFrom('', 'brief', 'kept', 'held');

export function propertySuite(open: OpenTestLedger): void {
  describe('any sequence of actions', () => {
    test('has space for an owner exactly from retryAt on', async () => {
      await withLedger(open, async (ledger) => {
        const property = fc.asyncProperty(
          ownLimits,
          fc.boolean(),
          actions,
          size,
          purpose,
          async (limits, evict, some, bytes, under) => {
            const run = new OwnerRun(ledger, limits, evict);
            await run.runAll(some);
            await checkRetryAt(run, bytes, under);
          },
        );
        await fc.assert(property, { numRuns: 150 });
      });
    });

    test('has space for all owners exactly from retryAt on', async () => {
      const global = fc.integer({ min: 20, max: 150 });
      const property = fc.asyncProperty(
        global,
        actions,
        size,
        purpose,
        async (globalBytes, some, bytes, under) => {
          await withLedger(open, async (ledger) => {
            const limits = {
              ownerBytes: null,
              ownerFiles: null,
              purposeBytes: null,
              bytesPer: null,
              uploadsPer: null,
              globalBytes,
            };
            const [one, two] = [new OwnerRun(ledger, limits, false), new OwnerRun(ledger, limits, false)];
            for (const [i, next] of some.entries()) {
              const run = i % 2 === 0 ? one : two;
              run.now = Math.max(one.now, two.now);
              await run.run(next);
            }
            one.now = Math.max(one.now, two.now);
            await checkRetryAt(one, bytes, under);
          });
        },
      );
      await fc.assert(property, { numRuns: 20 });
    });

    test('exceeds no quota and keeps all counters correct', async () => {
      await withLedger(open, async (ledger) => {
        const property = fc.asyncProperty(ownLimits, fc.boolean(), actions, async (limits, evict, some) => {
          const run = new OwnerRun(ledger, limits, evict);
          for (const next of some) {
            await run.run(next);
            const { bytes, pendingBytes, uploads, pendingUploads } = await ledger.usage(run.owner);
            assert.ok(uploads + pendingUploads <= (limits.ownerFiles ?? Number.POSITIVE_INFINITY));
            assert.ok(bytes + pendingBytes <= (limits.ownerBytes ?? Number.POSITIVE_INFINITY));
          }
          assert.equal(await ledger.recount({ owner: run.owner, repair: false }), false);
          await checkPeriods(run, limits);
        });
        await fc.assert(property, { numRuns: 100 });
        await checkCounters(ledger);
      });
    });
  });
}

/** Checks that the stored uploads exceed no limit in any period. */
async function checkPeriods({ ledger, owner }: OwnerRun, limits: Limits): Promise<void> {
  const stored = (await ledger.listUploads({ owner, limit: 999 })).map(
    (one) => [one.createdAt, one.size] as const,
  );
  const removed = (await ledger.listRemovals({ owner, limit: 999 }))
    .filter(({ stored }) => stored)
    .map((one) => [one.createdAt, one.size] as const);
  const all = [...stored, ...removed];
  for (const [end] of all) {
    const within = (length: number) => all.filter(([at]) => at <= end && at > end - length);
    const { bytesPer, uploadsPer } = limits;
    if (uploadsPer) assert.ok(within(uploadsPer.period).length <= uploadsPer.uploads);
    if (!bytesPer) continue;
    const spent = within(bytesPer.period).reduce((sum, [, bytes]) => sum + bytes, 0);
    assert.ok(spent <= bytesPer.bytes, `${spent} bytes within ${bytesPer.period} ms`);
  }
}
