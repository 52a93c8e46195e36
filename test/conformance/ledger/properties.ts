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

const deed = fc.oneof(
  {
    weight: 5,
    arbitrary: fc.record({
      does: fc.constant('reserve' as const),
      size,
      purpose: fc.constantFrom('', 'brief', 'kept', 'held', 'unheard of'),
      slotTime: fc.integer({ min: 1, max: 20 * SECOND }),
      lives: orNull(fc.integer({ min: 1, max: 60 * SECOND })),
      withClaim: fc.boolean(),
    }),
  },
  {
    weight: 4,
    arbitrary: fc.record({ does: fc.constant('store' as const), which: fc.nat(), size: orNull(size) }),
  },
  {
    weight: 1,
    arbitrary: fc.record({ does: fc.constantFrom('claim', 'release', 'remove'), which: fc.nat() }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      does: fc.constantFrom('unused', 'expires_at', 'max_age', 'soft_quota', 'dead_claims', 'upload_rates'),
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({
      does: fc.constant('wait' as const),
      ms: fc.integer({ min: 0, max: 15 * SECOND }),
    }),
  },
);

type Deed = typeof deed extends fc.Arbitrary<infer T> ? T : never;

/** Runs the actions of one owner one after the other. */
class Story {
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

  async live(deeds: readonly Deed[]): Promise<void> {
    for (const one of deeds) await this.do(one);
  }

  async do(one: Deed): Promise<void> {
    if ('ms' in one) this.now += one.ms;
    else if (one.does === 'reserve' && 'slotTime' in one) await this.reserve(one);
    else if ('which' in one) await this.touch(one);
    else await this.sweep(one.does);
  }

  async reserve(one: Extract<Deed, { does: 'reserve'; slotTime: number }>): Promise<void> {
    const token = randomId();
    const order = this.order(one.size, one.purpose, {
      deadline: this.now + one.slotTime,
      expiresAt: one.lives === null ? null : this.now + one.lives,
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

  async touch(one: Extract<Deed, { which: number }>): Promise<void> {
    const slot = this.slots[one.which % Math.max(1, this.slots.length)];
    if (!slot) return;
    const { ledger, now } = this;
    const { id, token } = slot;
    if (one.does === 'remove') await ledger.remove({ ids: [id], reason: 'deleted', detail: '', now });
    if (one.does === 'release') await ledger.release({ ...attempt(id, token), now });
    if (one.does === 'claim' || one.does === 'store') {
      await ledger.claim({ by: { putKey: `key of ${id}` }, token, instance: 'here', now, ledgerTime: now });
    }
    if (one.does !== 'store' || !('size' in one)) return;
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
      await ledger.sweep({ ...step, kind, purpose: 'brief', storedBefore: now - 12 * SECOND });
    }
  }

  /** Reserves a slot at a given time. */
  async ask(bytes: number, purpose: string, at: number): Promise<ReserveResult> {
    this.now = at;
    return await this.ledger.reserve(this.order(bytes, purpose, { deadline: at + SECOND, expiresAt: null }));
  }
}

const AGES = 10 * 365 * 86_400 * SECOND;

/** Checks that `retryAt` is exact to the millisecond, and that waiting never helps if it is null. */
async function checkPromise(story: Story, bytes: number, purpose: string): Promise<void> {
  const first = await story.ask(bytes, purpose, story.now);
  if (first.granted || first.limit === 'locator' || first.limit === 'batch') return;
  if (first.retryAt === null) {
    const later = await story.ask(bytes, purpose, story.now + AGES);
    assert.equal(later.granted, false, 'retryAt is null, but the reservation fits later');
    return;
  }
  assert.ok(first.retryAt > story.now);
  const early = await story.ask(bytes, purpose, first.retryAt - 1);
  assert.ok(
    !early.granted && early.limit !== 'locator' && early.limit !== 'batch',
    'the reservation fits before retryAt',
  );
  assert.equal(early.retryAt, first.retryAt);
  assert.equal((await story.ask(bytes, purpose, first.retryAt)).granted, true);
}

async function withLedger(open: OpenTestLedger, work: (ledger: Ledger) => Promise<void>): Promise<void> {
  const opened = await open();
  try {
    await work(opened.ledger);
  } finally {
    await opened.close();
  }
}

const deeds = fc.array(deed, { minLength: 5, maxLength: 40 });
const purpose = fc.constantFrom('', 'brief', 'kept', 'held');

export function propertySuite(open: OpenTestLedger): void {
  describe('any sequence of actions', () => {
    test('has space for an owner exactly from retryAt on', async () => {
      await withLedger(open, async (ledger) => {
        const story = fc.asyncProperty(
          ownLimits,
          fc.boolean(),
          deeds,
          size,
          purpose,
          async (limits, evict, some, bytes, under) => {
            const life = new Story(ledger, limits, evict);
            await life.live(some);
            await checkPromise(life, bytes, under);
          },
        );
        await fc.assert(story, { numRuns: 150 });
      });
    });

    test('has space for all owners exactly from retryAt on', async () => {
      const global = fc.integer({ min: 20, max: 150 });
      const story = fc.asyncProperty(
        global,
        deeds,
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
            const [one, two] = [new Story(ledger, limits, false), new Story(ledger, limits, false)];
            for (const [i, next] of some.entries()) {
              const life = i % 2 === 0 ? one : two;
              life.now = Math.max(one.now, two.now);
              await life.do(next);
            }
            one.now = Math.max(one.now, two.now);
            await checkPromise(one, bytes, under);
          });
        },
      );
      await fc.assert(story, { numRuns: 20 });
    });

    test('exceeds no quota and keeps all counters correct', async () => {
      await withLedger(open, async (ledger) => {
        const story = fc.asyncProperty(ownLimits, fc.boolean(), deeds, async (limits, evict, some) => {
          const life = new Story(ledger, limits, evict);
          for (const next of some) {
            await life.do(next);
            const { bytes, pendingBytes, uploads, pendingUploads } = await ledger.usage(life.owner);
            assert.ok(uploads + pendingUploads <= (limits.ownerFiles ?? Number.POSITIVE_INFINITY));
            assert.ok(bytes + pendingBytes <= (limits.ownerBytes ?? Number.POSITIVE_INFINITY));
          }
          assert.equal(await ledger.recount({ owner: life.owner, repair: false }), false);
          await checkWindows(life, limits);
        });
        await fc.assert(story, { numRuns: 100 });
        await checkCounters(ledger);
      });
    });
  });
}

/** Checks that the stored uploads exceed no limit in any window. */
async function checkWindows({ ledger, owner }: Story, limits: Limits): Promise<void> {
  const there = (await ledger.listUploads({ owner, limit: 999 })).map(
    (one) => [one.createdAt, one.size] as const,
  );
  const gone = (await ledger.listRemovals({ owner, limit: 999 }))
    .filter(({ stored }) => stored)
    .map((one) => [one.createdAt, one.size] as const);
  const all = [...there, ...gone];
  for (const [end] of all) {
    const within = (length: number) => all.filter(([at]) => at <= end && at > end - length);
    const { bytesPer, uploadsPer } = limits;
    if (uploadsPer) assert.ok(within(uploadsPer.period).length <= uploadsPer.uploads);
    if (!bytesPer) continue;
    const spent = within(bytesPer.period).reduce((sum, [, bytes]) => sum + bytes, 0);
    assert.ok(spent <= bytesPer.bytes, `${spent} bytes within ${bytesPer.period} ms`);
  }
}
