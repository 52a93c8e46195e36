import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import type { EnqueueParams, Ledger, QueuedItem } from '../../../src/ledger/contract/ledger.ts';
import { JULIET, ledgerTest, NOW, type OpenTestLedger, ROMEO, SECOND } from './fixture.ts';

const UNTIL = NOW + 30 * SECOND;

async function enqueue(ledger: Ledger, body: string, options: Partial<EnqueueParams> = {}): Promise<number> {
  const item = {
    queue: 'callback',
    queueKey: ROMEO,
    owner: ROMEO,
    body,
    now: NOW,
    giveUpAt: NOW + 1,
    limit: 99,
  };
  const result = await ledger.enqueue({ ...item, ...options } as EnqueueParams);
  assert.ok(result.outcome === 'queued');
  return result.id;
}

const take = (
  ledger: Ledger,
  options: { now?: number; limit?: number; instance?: string; takenUntil?: number } = {},
) =>
  ledger.takeDue({ queue: 'callback', now: NOW, limit: 9, instance: 'here', takenUntil: UNTIL, ...options });

const bodies = (taken: readonly QueuedItem[]) => taken.map(({ body }) => body).toSorted();

export function queueSuite(open: OpenTestLedger): void {
  describe('message queue', () => {
    ledgerTest(open, 'returns an item as it was enqueued', async (ledger) => {
      const id = await enqueue(ledger, '{"a":"ä\\u0000"}', { owner: JULIET });
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

    ledgerTest(open, 'refuses items of one key above the limit of a key', async (ledger) => {
      await enqueue(ledger, '1', { keyLimit: 2 });
      await enqueue(ledger, '2', { keyLimit: 2 });
      const item = {
        queue: 'callback',
        queueKey: ROMEO,
        owner: ROMEO,
        body: '3',
        now: NOW,
        giveUpAt: NOW + 1,
      } as const;
      assert.deepEqual(await ledger.enqueue({ ...item, limit: 99, keyLimit: 2 }), { outcome: 'full' });
      await enqueue(ledger, '1', { queueKey: JULIET, keyLimit: 2 });
      assert.equal(await ledger.queueLength('callback'), 3);
    });

    ledgerTest(
      open,
      'keeps the order of a queue key, and takes items of different keys together',
      async (ledger) => {
        for (const body of ['r1', 'r2', 'r3']) await enqueue(ledger, body);
        for (const body of ['j1', 'j2']) await enqueue(ledger, body, { queueKey: JULIET });
        const rounds: string[][] = [];
        for (let taken = await take(ledger); taken.length > 0; taken = await take(ledger)) {
          rounds.push(bodies(taken));
          assert.deepEqual(await take(ledger), [], 'a taken item is not taken again');
          for (const item of taken) await ledger.removeQueued(item);
        }
        assert.deepEqual(rounds, [['j1', 'r1'], ['j2', 'r2'], ['r3']]);
        assert.equal(await ledger.queueLength('callback'), 0);
        assert.equal(await ledger.nextDueAt('callback'), null);
      },
    );

    ledgerTest(open, 'hands each item to one of several processes', async (ledger, opened) => {
      const other = await opened.openAgain();
      for (let i = 0; i < 20; i += 1) await enqueue(ledger, String(i), { queueKey: `key ${i}` });
      const taken = await Promise.all(
        [ledger, other, ledger, other].map((one, i) => take(one, { limit: 7, instance: `p${i}` })),
      );
      const ids = taken.flat().map(({ id }) => id);
      assert.equal(new Set(ids).size, ids.length);
      assert.equal(ids.length, 20);
      await other.close();
    });

    ledgerTest(open, 'keeps one order for all processes that enqueue', async (ledger, opened) => {
      const other = await opened.openAgain();
      const both = [ledger, other, ledger, other, ledger];
      const ids = await Promise.all(both.map((one, i) => enqueue(one, String(i))));
      assert.equal(new Set(ids).size, ids.length);
      const order = ids.map((id, i) => ({ id, body: String(i) })).toSorted((a, b) => a.id - b.id);
      for (const { id, body } of order) {
        const [first] = await take(ledger);
        assert.deepEqual([first?.id, first?.body], [id, body]);
        if (first) await ledger.removeQueued(first);
      }
      await other.close();
    });

    ledgerTest(
      open,
      'does not take a postponed item, or later items with its key, before its time',
      async (ledger) => {
        await enqueue(ledger, 'first');
        await enqueue(ledger, 'second');
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
      },
    );

    ledgerTest(open, 'takes an item again that was neither removed nor postponed in time', async (ledger) => {
      await enqueue(ledger, 'first');
      await take(ledger, { instance: 'gone' });
      assert.equal(await ledger.nextDueAt('callback'), UNTIL);
      assert.deepEqual(await take(ledger, { now: UNTIL - 1 }), []);
      const [again] = await take(ledger, { now: UNTIL, takenUntil: UNTIL + SECOND });
      assert.equal(again?.body, 'first');
      if (again) await ledger.postpone({ ...again, instance: 'gone', retryAt: NOW, countsAsAttempt: true });
      assert.deepEqual(await take(ledger, { now: UNTIL }), [], 'a late postpone has no effect');
    });

    ledgerTest(open, 'takes items of a removed process again at once', async (ledger) => {
      await enqueue(ledger, 'of the dead process');
      await take(ledger, { instance: 'dead' });
      await enqueue(ledger, 'of this process', { queueKey: JULIET });
      await take(ledger);
      await ledger.removeInstances(['dead']);
      assert.deepEqual(bodies(await take(ledger)), ['of the dead process']);
    });

    ledgerTest(open, 'counts items, and refuses them above the limit of the queue', async (ledger) => {
      const limit = 2;
      await enqueue(ledger, '1', { limit });
      await enqueue(ledger, '2', { limit, queueKey: JULIET });
      const third = { queueKey: JULIET, owner: ROMEO, body: '', now: NOW, giveUpAt: NOW, limit } as const;
      assert.deepEqual(await ledger.enqueue({ queue: 'callback', ...third }), { outcome: 'full' });
      assert.equal((await ledger.enqueue({ queue: 'outbox', ...third })).outcome, 'queued');
      assert.deepEqual([await ledger.queueLength('callback'), await ledger.queueLength('outbox')], [2, 1]);
      const [first] = await take(ledger, { limit: 1 });
      assert.ok(first);
      await ledger.removeQueued(first);
      await ledger.removeQueued(first);
      assert.equal(await ledger.queueLength('callback'), 1);
      await enqueue(ledger, '3', { limit });
    });

    ledgerTest(open, 'finds items only by their own queue and key', async (ledger) => {
      await enqueue(ledger, '1');
      const hasQueued = (queue: 'callback' | 'outbox', queueKey: string) =>
        ledger.hasQueued({ queue, queueKey });
      assert.equal(await hasQueued('callback', ROMEO), true);
      assert.equal(await hasQueued('outbox', ROMEO), false);
      assert.equal(await hasQueued('callback', JULIET), false);
      for (const item of await take(ledger)) await ledger.removeQueued(item);
      assert.equal(await hasQueued('callback', ROMEO), false);
    });

    ledgerTest(open, 'forget removes the items of an owner at any position', async (ledger) => {
      const owners = [ROMEO, JULIET, ROMEO, ROMEO, JULIET];
      for (const [i, owner] of owners.entries()) await enqueue(ledger, String(i), { queueKey: 'x', owner });
      await enqueue(ledger, 'alone');
      const [first] = (await take(ledger)).filter(({ queueKey }) => queueKey === 'x');
      assert.equal(first?.body, '0');
      const left: number[] = [];
      do left.push((await ledger.forget({ owner: ROMEO, limit: 2, now: NOW })).left);
      while (left.at(-1) !== 0 && left.length < 9);
      assert.deepEqual(left, [1, 0]);
      assert.equal(await ledger.queueLength('callback'), 2);
      for (const body of ['1', '4']) {
        const taken = await take(ledger);
        assert.deepEqual(bodies(taken), [body]);
        for (const item of taken) await ledger.removeQueued(item);
      }
      assert.equal(await ledger.queueLength('callback'), 0);
    });
  });
  queueProperties(open);
}

type Action = { kind: 'put' | 'take' | 'remove' | 'postpone' | 'crash' | 'wait'; queueKey: number };
const action: fc.Arbitrary<Action> = fc.record({
  kind: fc.constantFrom('put', 'put', 'take', 'remove', 'remove', 'postpone', 'crash', 'wait'),
  queueKey: fc.integer({ min: 0, max: 3 }),
});

/** Compares a queue of the ledger with plain arrays. */
class QueueModel {
  readonly ledger: Ledger;
  readonly items = new Map<string, { body: string; takenUntil: number }[]>();
  taken: QueuedItem[] = [];
  now = NOW;
  count = 0;

  constructor(ledger: Ledger) {
    this.ledger = ledger;
  }

  async runAll(actions: readonly Action[]): Promise<void> {
    for (const next of actions) await this[next.kind](`${next.queueKey}`);
    const waiting = [...this.items.values()].reduce((sum, items) => sum + items.length, 0);
    assert.equal(await this.ledger.queueLength('callback'), waiting);
  }

  async put(queueKey: string): Promise<void> {
    this.count += 1;
    const body = String(this.count);
    await enqueue(this.ledger, body, { queueKey, now: this.now });
    this.items.set(queueKey, [...(this.items.get(queueKey) ?? []), { body, takenUntil: 0 }]);
  }

  async take(): Promise<void> {
    const takenUntil = this.now + 10;
    const ready = [...this.items.values()].flatMap(([first]) =>
      first && first.takenUntil <= this.now ? [first] : [],
    );
    const taken = await take(this.ledger, { now: this.now, takenUntil });
    assert.deepEqual(bodies(taken), ready.map(({ body }) => body).toSorted());
    for (const first of ready) first.takenUntil = takenUntil;
    const again = new Set(taken.map(({ id }) => id));
    this.taken = [...this.taken.filter(({ id }) => !again.has(id)), ...taken];
  }

  async remove(): Promise<void> {
    const one = this.taken.shift();
    if (one === undefined) return;
    await this.ledger.removeQueued(one);
    this.items.get(one.queueKey)?.shift();
  }

  async postpone(): Promise<void> {
    const one = this.taken.shift();
    if (one === undefined) return;
    const retryAt = this.now + 3;
    await this.ledger.postpone({ ...one, instance: 'here', retryAt, countsAsAttempt: true });
    const [first] = this.items.get(one.queueKey) ?? [];
    if (first) first.takenUntil = retryAt;
  }

  async crash(): Promise<void> {
    await this.ledger.removeInstances(['here']);
    for (const { queueKey } of this.taken) {
      const [first] = this.items.get(queueKey) ?? [];
      if (first) first.takenUntil = 0;
    }
    this.taken = [];
  }

  async wait(): Promise<void> {
    this.now += 4;
  }

  async drain(): Promise<void> {
    this.now += 100;
    while ((await this.ledger.queueLength('callback')) > 0) {
      await this.take();
      while (this.taken.length > 0) await this.remove();
    }
  }
}

function queueProperties(open: OpenTestLedger): void {
  test('keeps the order of each key and loses no item, in any sequence of actions', async () => {
    const opened = await open();
    try {
      const property = fc.asyncProperty(
        fc.array(action, { minLength: 5, maxLength: 40 }),
        async (actions) => {
          const model = new QueueModel(opened.ledger);
          await model.runAll(actions);
          await model.drain();
        },
      );
      await fc.assert(property, { numRuns: 60 });
    } finally {
      await opened.close();
    }
  });
}
