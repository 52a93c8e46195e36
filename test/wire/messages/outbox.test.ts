import assert from 'node:assert/strict';
import { describe, type TestContext, test } from 'node:test';
import { Refusal } from '../../../src/base/errors.ts';
import { alerts, bearer, startTestMessageServer } from '../../support/test-message-server.ts';
import { waitUntil } from '../../support/wait-until.ts';

const JULIET = 'juliet@example.org';

/** A house whose XMPP server is gone until `back`, and whose token may queue. */
async function openQueueHouse(t: TestContext) {
  const house = await startTestMessageServer(t);
  house.changeRules({ tokens: [{ ...alerts, queue: true }] });
  const taken: string[] = [];
  const { outbox } = house.endpointDeps;
  house.onDeliver(() => {
    throw new Refusal('unavailable');
  });
  t.after(() => outbox.stop(0));
  const post = async (to: string, text: string) => {
    const reply = await house.post(`/msg/${to}`, text, { Authorization: bearer() });
    return reply.status;
  };
  const waiting = () => house.services.ledger.queueLength('outbox');
  return {
    ...house,
    taken,
    post,
    waiting,
    back(refuse?: (text: string) => Refusal | undefined) {
      house.onDeliver(({ message }) => {
        const text = message.getChild('body')?.getText() ?? '';
        const refusal = refuse?.(text);
        if (refusal) throw refusal;
        taken.push(`${message.attrs.to} ${text}`);
      });
      outbox.resume();
    },
    outbox,
  };
}

describe('what waits for the XMPP server', () => {
  test('is sent in its order when the server is back, and only then', async (t) => {
    const house = await openQueueHouse(t);
    house.outbox.start();
    for (const text of ['1', '2', '3']) assert.equal(await house.post(JULIET, text), 202);
    await waitUntil(() => house.delivered.length >= 2);
    assert.equal(await house.waiting(), 3);
    house.back();
    await waitUntil(async () => (await house.waiting()) === 0);
    assert.deepEqual(house.taken, [`${JULIET} 1`, `${JULIET} 2`, `${JULIET} 3`]);
    assert.equal(await house.post(JULIET, '4'), 201, 'nothing waits any more');
  });

  test('is also what the server was too slow to take', async (t) => {
    const house = await openQueueHouse(t);
    house.onDeliver(() => {
      throw new Refusal('busy');
    });
    assert.equal(await house.post(JULIET, '1'), 202);
    house.back();
    house.outbox.start();
    await waitUntil(async () => (await house.waiting()) === 0);
    assert.deepEqual(house.taken, [`${JULIET} 1`]);
  });

  test('is found by whoever leads next', async (t) => {
    const house = await openQueueHouse(t);
    assert.equal(await house.post(JULIET, '1'), 202);
    house.back();
    assert.equal(await house.waiting(), 1);
    house.outbox.start();
    await waitUntil(async () => (await house.waiting()) === 0);
    assert.deepEqual(house.taken, [`${JULIET} 1`]);
  });

  test('stands in nobody’s way: a bounce ends one message, not the ones behind it', async (t) => {
    const house = await openQueueHouse(t);
    for (const text of ['bad', 'good']) await house.post(JULIET, text);
    house.back((text) => (text === 'bad' ? new Refusal('bounced') : undefined));
    house.outbox.start();
    await waitUntil(async () => (await house.waiting()) === 0);
    assert.deepEqual(house.taken, [`${JULIET} good`]);
    const counted = await house.services.metrics.registry.getSingleMetricAsString('porter_messages_total');
    assert.match(counted, /type="chat",outcome="bounced"} 1/);
  });

  test('goes again, with the same id, where nobody knows whether the server has it', async (t) => {
    const house = await openQueueHouse(t);
    await house.post(JULIET, '1');
    let tries = 0;
    house.back(() => {
      tries += 1;
      return tries === 1 ? new Refusal('no_answer') : undefined;
    });
    house.outbox.start();
    await waitUntil(() => tries === 1);
    await waitUntil(async () => {
      house.advance(1000);
      return (await house.waiting()) === 0;
    });
    assert.equal(tries, 2);
    const ids = house.delivered.map(({ message }) => message.attrs.id);
    assert.equal(new Set(ids).size, 1);
  });

  test('is given up when its time is over', async (t) => {
    const house = await openQueueHouse(t);
    await house.post(JULIET, '1');
    house.advance(61_000);
    house.outbox.start();
    await waitUntil(async () => (await house.waiting()) === 0);
    assert.deepEqual(house.taken, []);
    const counted = await house.services.metrics.registry.getSingleMetricAsString('porter_messages_total');
    assert.match(counted, /outcome="given_up"} 1/);
  });
});
