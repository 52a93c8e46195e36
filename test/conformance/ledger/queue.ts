import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import type { EnqueueParams, Ledger, QueuedItem } from '../../../src/ledger/contract/ledger.ts';
import { JULIET, ledgerTest, NOW, type OpenTestLedger, ROMEO, SECOND } from './fixture.ts';

const UNTIL = NOW + 30 * SECOND;

async function put(ledger: Ledger, body: string, wish: Partial<EnqueueParams> = {}): Promise<number> {
  const order = {
    queue: 'callback',
    queueKey: ROMEO,
    owner: ROMEO,
    body,
    now: NOW,
    giveUpAt: NOW + 1,
    limit: 99,
  };
  const answer = await ledger.enqueue({ ...order, ...wish } as EnqueueParams);
  assert.ok(answer.outcome === 'queued');
  return answer.id;
}

const take = (
  ledger: Ledger,
  wish: { now?: number; limit?: number; instance?: string; takenUntil?: number } = {},
) => ledger.takeDue({ queue: 'callback', now: NOW, limit: 9, instance: 'here', takenUntil: UNTIL, ...wish });

const bodies = (taken: readonly QueuedItem[]) => taken.map(({ body }) => body).toSorted();

export function queueSuite(open: OpenTestLedger): void {
  describe('what waits', () => {
    ledgerTest(open, 'is handed over as it was put there', async (ledger) => {
      const id = await put(ledger, '{"a":"ä\\u0000"}', { owner: JULIET });
      assert.deepEqual(await take(ledger), [
        {
          queue: 'callback',
          queueKey: ROMEO,
          id,
          owner: JULIET,
          body: '{"a":"ä\\u0000"}',
          queuedAt: NOW,
          giveUpAt: NOW + 1,
          attempts: 0,
        },
      ]);
    });

    ledgerTest(open, 'goes in its order within a lane, and lanes go beside each other', async (ledger) => {
      for (const body of ['r1', 'r2', 'r3']) await put(ledger, body);
      for (const body of ['j1', 'j2']) await put(ledger, body, { queueKey: JULIET });
      const rounds: string[][] = [];
      for (let taken = await take(ledger); taken.length > 0; taken = await take(ledger)) {
        rounds.push(bodies(taken));
        assert.deepEqual(await take(ledger), [], 'nobody gets them a second time');
        for (const place of taken) await ledger.removeQueued(place);
      }
      assert.deepEqual(rounds, [['j1', 'r1'], ['j2', 'r2'], ['r3']]);
      assert.equal(await ledger.queueLength('callback'), 0);
      assert.equal(await ledger.nextDueAt('callback'), null);
    });

    ledgerTest(open, 'is taken by one of several processes', async (ledger, opened) => {
      const other = await opened.openAgain();
      for (let i = 0; i < 20; i += 1) await put(ledger, String(i), { queueKey: `lane ${i}` });
      const taken = await Promise.all(
        [ledger, other, ledger, other].map((one, i) => take(one, { limit: 7, instance: `p${i}` })),
      );
      const ids = taken.flat().map(({ id }) => id);
      assert.equal(new Set(ids).size, ids.length);
      assert.equal(ids.length, 20);
      await other.close();
    });

    ledgerTest(open, 'keeps one order for all processes that put something there', async (ledger, opened) => {
      const other = await opened.openAgain();
      const both = [ledger, other, ledger, other, ledger];
      const ids = await Promise.all(both.map((one, i) => put(one, String(i))));
      assert.equal(new Set(ids).size, ids.length);
      const order = ids.map((id, i) => ({ id, body: String(i) })).toSorted((a, b) => a.id - b.id);
      for (const { id, body } of order) {
        const [first] = await take(ledger);
        assert.deepEqual([first?.id, first?.body], [id, body]);
        if (first) await ledger.removeQueued(first);
      }
      await other.close();
    });

    ledgerTest(open, 'waits for its next try, and all that is behind it with it', async (ledger) => {
      await put(ledger, 'first');
      await put(ledger, 'second');
      const [first] = await take(ledger);
      assert.ok(first);
      await ledger.postpone({ ...first, instance: 'here', retryAt: NOW + 50, countsAsAttempt: true });
      assert.equal(await ledger.nextDueAt('callback'), NOW + 50);
      assert.deepEqual(await take(ledger, { now: NOW + 49 }), []);
      const [again] = await take(ledger, { now: NOW + 50 });
      assert.deepEqual([again?.body, again?.attempts], ['first', 1]);
      await ledger.postpone({ ...first, instance: 'here', retryAt: NOW + 50, countsAsAttempt: false });
      const [third] = await take(ledger, { now: NOW + 50 });
      assert.deepEqual([third?.body, third?.attempts], ['first', 1]);
      await ledger.removeQueued(first);
      const [second] = await take(ledger);
      assert.deepEqual([second?.body, second?.attempts], ['second', 0]);
    });

    ledgerTest(open, 'is handed over again where nobody said what became of it', async (ledger) => {
      await put(ledger, 'first');
      await take(ledger, { instance: 'gone' });
      assert.equal(await ledger.nextDueAt('callback'), UNTIL);
      assert.deepEqual(await take(ledger, { now: UNTIL - 1 }), []);
      const [again] = await take(ledger, { now: UNTIL, takenUntil: UNTIL + SECOND });
      assert.equal(again?.body, 'first');
      if (again) await ledger.postpone({ ...again, instance: 'gone', retryAt: NOW, countsAsAttempt: true });
      assert.deepEqual(await take(ledger, { now: UNTIL }), [], 'who is late says nothing about it');
    });

    ledgerTest(open, 'is free at once where its process is known to be dead', async (ledger) => {
      await put(ledger, 'theirs');
      await take(ledger, { instance: 'dead' });
      await put(ledger, 'ours', { queueKey: JULIET });
      await take(ledger);
      await ledger.removeInstances(['dead']);
      assert.deepEqual(bodies(await take(ledger)), ['theirs']);
    });

    ledgerTest(open, 'is counted, and refused beyond the limit of its queue', async (ledger) => {
      const limit = 2;
      await put(ledger, '1', { limit });
      await put(ledger, '2', { limit, queueKey: JULIET });
      const third = { queueKey: JULIET, owner: ROMEO, body: '', now: NOW, giveUpAt: NOW, limit } as const;
      assert.deepEqual(await ledger.enqueue({ queue: 'callback', ...third }), { outcome: 'full' });
      assert.equal((await ledger.enqueue({ queue: 'outbox', ...third })).outcome, 'queued');
      assert.deepEqual([await ledger.queueLength('callback'), await ledger.queueLength('outbox')], [2, 1]);
      const [first] = await take(ledger, { limit: 1 });
      assert.ok(first);
      await ledger.removeQueued(first);
      await ledger.removeQueued(first);
      assert.equal(await ledger.queueLength('callback'), 1);
      await put(ledger, '3', { limit });
    });

    ledgerTest(open, 'is seen in its own lane and queue only', async (ledger) => {
      await put(ledger, '1');
      const waits = (queue: 'callback' | 'outbox', queueKey: string) => ledger.hasQueued({ queue, queueKey });
      assert.equal(await waits('callback', ROMEO), true);
      assert.equal(await waits('outbox', ROMEO), false);
      assert.equal(await waits('callback', JULIET), false);
      for (const place of await take(ledger)) await ledger.removeQueued(place);
      assert.equal(await waits('callback', ROMEO), false);
    });

    ledgerTest(open, 'goes with its owner, wherever in a lane it is', async (ledger) => {
      const owners = [ROMEO, JULIET, ROMEO, ROMEO, JULIET];
      for (const [i, owner] of owners.entries()) await put(ledger, String(i), { queueKey: 'x', owner });
      await put(ledger, 'alone');
      const [head] = (await take(ledger)).filter(({ queueKey }) => queueKey === 'x');
      assert.equal(head?.body, '0');
      const left: number[] = [];
      do left.push((await ledger.forget({ owner: ROMEO, limit: 2, now: NOW })).left);
      while (left.at(-1) !== 0 && left.length < 9);
      assert.deepEqual(left, [1, 0]);
      assert.equal(await ledger.queueLength('callback'), 2);
      for (const body of ['1', '4']) {
        const taken = await take(ledger);
        assert.deepEqual(bodies(taken), [body]);
        for (const place of taken) await ledger.removeQueued(place);
      }
      assert.equal(await ledger.queueLength('callback'), 0);
    });
  });
  queueProperties(open);
}

type Deed = { do: 'put' | 'take' | 'settle' | 'postpone' | 'crash' | 'wait'; queueKey: number };
const deed: fc.Arbitrary<Deed> = fc.record({
  do: fc.constantFrom('put', 'put', 'take', 'settle', 'settle', 'postpone', 'crash', 'wait'),
  queueKey: fc.integer({ min: 0, max: 3 }),
});

/** Holds a ledger against plain lists. */
class Story {
  readonly ledger: Ledger;
  readonly lanes = new Map<string, { body: string; heldUntil: number }[]>();
  held: QueuedItem[] = [];
  now = NOW;
  count = 0;

  constructor(ledger: Ledger) {
    this.ledger = ledger;
  }

  async live(deeds: readonly Deed[]): Promise<void> {
    for (const next of deeds) await this[next.do](`${next.queueKey}`);
    const waiting = [...this.lanes.values()].reduce((sum, queueKey) => sum + queueKey.length, 0);
    assert.equal(await this.ledger.queueLength('callback'), waiting);
  }

  async put(queueKey: string): Promise<void> {
    this.count += 1;
    const body = String(this.count);
    await put(this.ledger, body, { queueKey, now: this.now });
    this.lanes.set(queueKey, [...(this.lanes.get(queueKey) ?? []), { body, heldUntil: 0 }]);
  }

  async take(): Promise<void> {
    const until = this.now + 10;
    const ready = [...this.lanes.values()].flatMap(([first]) =>
      first && first.heldUntil <= this.now ? [first] : [],
    );
    const taken = await take(this.ledger, { now: this.now, takenUntil: until });
    assert.deepEqual(bodies(taken), ready.map(({ body }) => body).toSorted());
    for (const first of ready) first.heldUntil = until;
    const again = new Set(taken.map(({ id }) => id));
    this.held = [...this.held.filter(({ id }) => !again.has(id)), ...taken];
  }

  async settle(): Promise<void> {
    const one = this.held.shift();
    if (one === undefined) return;
    await this.ledger.removeQueued(one);
    this.lanes.get(one.queueKey)?.shift();
  }

  async postpone(): Promise<void> {
    const one = this.held.shift();
    if (one === undefined) return;
    const retryAt = this.now + 3;
    await this.ledger.postpone({ ...one, instance: 'here', retryAt, countsAsAttempt: true });
    const [first] = this.lanes.get(one.queueKey) ?? [];
    if (first) first.heldUntil = retryAt;
  }

  async crash(): Promise<void> {
    await this.ledger.removeInstances(['here']);
    for (const { queueKey } of this.held) {
      const [first] = this.lanes.get(queueKey) ?? [];
      if (first) first.heldUntil = 0;
    }
    this.held = [];
  }

  async wait(): Promise<void> {
    this.now += 4;
  }

  async drain(): Promise<void> {
    this.now += 100;
    while ((await this.ledger.queueLength('callback')) > 0) {
      await this.take();
      while (this.held.length > 0) await this.settle();
    }
  }
}

function queueProperties(open: OpenTestLedger): void {
  test('whatever happens, each lane keeps its order and nothing is lost', async () => {
    const opened = await open();
    try {
      const story = fc.asyncProperty(fc.array(deed, { minLength: 5, maxLength: 40 }), async (deeds) => {
        const life = new Story(opened.ledger);
        await life.live(deeds);
        await life.drain();
      });
      await fc.assert(story, { numRuns: 60 });
    } finally {
      await opened.close();
    }
  });
}
