import assert from 'node:assert/strict';
import { describe, type TestContext, test } from 'node:test';
import { Refusal } from '../../../src/base/errors.ts';
import { alerts, bearer, startTestMessageServer } from '../../support/test-message-server.ts';
import { waitUntil } from '../../support/wait-until.ts';

const JULIET = 'juliet@example.org';

/** The XMPP server is unreachable until `back` is called. Messages of the token may be queued. */
async function startServerWithQueue(t: TestContext) {
  const server = await startTestMessageServer(t);
  server.changeRules({ tokens: [{ ...alerts, queue: true }] });
  const taken: string[] = [];
  const { outbox } = server.endpointDeps;
  server.onDeliver(() => {
    throw new Refusal('unavailable');
  });
  t.after(() => outbox.stop(0));
  const post = async (to: string, text: string) => {
    const reply = await server.post(`/msg/${to}`, text, { Authorization: bearer() });
    return reply.status;
  };
  const waiting = () => server.services.ledger.queueLength('outbox');
  return {
    ...server,
    taken,
    post,
    waiting,
    back(refuse?: (text: string) => Refusal | undefined) {
      server.onDeliver(({ message }) => {
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

describe('A message in the outbox', () => {
  test('is sent in order when the server is reachable again, and only then', async (t) => {
    const server = await startServerWithQueue(t);
    server.outbox.start();
    for (const text of ['1', '2', '3']) assert.equal(await server.post(JULIET, text), 202);
    await waitUntil(() => server.delivered.length >= 2);
    assert.equal(await server.waiting(), 3);
    server.back();
    await waitUntil(async () => (await server.waiting()) === 0);
    assert.deepEqual(server.taken, [`${JULIET} 1`, `${JULIET} 2`, `${JULIET} 3`]);
    assert.equal(await server.post(JULIET, '4'), 201, 'nothing waits any more');
  });

  test('may come from a server that is too slow', async (t) => {
    const server = await startServerWithQueue(t);
    server.onDeliver(() => {
      throw new Refusal('busy');
    });
    assert.equal(await server.post(JULIET, '1'), 202);
    server.back();
    server.outbox.start();
    await waitUntil(async () => (await server.waiting()) === 0);
    assert.deepEqual(server.taken, [`${JULIET} 1`]);
  });

  test('is sent by the next leader', async (t) => {
    const server = await startServerWithQueue(t);
    assert.equal(await server.post(JULIET, '1'), 202);
    server.back();
    assert.equal(await server.waiting(), 1);
    server.outbox.start();
    await waitUntil(async () => (await server.waiting()) === 0);
    assert.deepEqual(server.taken, [`${JULIET} 1`]);
  });

  test('does not block the next one when it bounces', async (t) => {
    const server = await startServerWithQueue(t);
    for (const text of ['bad', 'good']) await server.post(JULIET, text);
    server.back((text) => (text === 'bad' ? new Refusal('bounced') : undefined));
    server.outbox.start();
    await waitUntil(async () => (await server.waiting()) === 0);
    assert.deepEqual(server.taken, [`${JULIET} good`]);
    const counted = await server.services.metrics.registry.getSingleMetricAsString('porter_messages_total');
    assert.match(counted, /type="chat",outcome="bounced"} 1/);
  });

  test('that the server takes for too large is dropped, and does not block the next one', async (t) => {
    const server = await startServerWithQueue(t);
    for (const text of ['large', 'good']) await server.post(JULIET, text);
    server.back((text) => (text === 'large' ? new Refusal('message_too_large') : undefined));
    server.outbox.start();
    await waitUntil(async () => (await server.waiting()) === 0);
    assert.deepEqual(server.taken, [`${JULIET} good`]);
    assert.equal(server.delivered.filter(({ message }) => String(message).includes('large')).length, 2);
    const counted = await server.services.metrics.registry.getSingleMetricAsString('porter_messages_total');
    assert.match(counted, /outcome="message_too_large"} 1/);
  });

  test('is sent again with the same id if the server may not have it', async (t) => {
    const server = await startServerWithQueue(t);
    await server.post(JULIET, '1');
    let tries = 0;
    server.back(() => {
      tries += 1;
      return tries === 1 ? new Refusal('no_answer') : undefined;
    });
    server.outbox.start();
    await waitUntil(() => tries === 1);
    await waitUntil(async () => {
      server.advance(1000);
      return (await server.waiting()) === 0;
    });
    assert.equal(tries, 2);
    const ids = server.delivered.map(({ message }) => message.attrs.id);
    assert.equal(new Set(ids).size, 1);
  });

  test('is dropped when it expires', async (t) => {
    const server = await startServerWithQueue(t);
    await server.post(JULIET, '1');
    server.advance(61_000);
    server.outbox.start();
    await waitUntil(async () => (await server.waiting()) === 0);
    assert.deepEqual(server.taken, []);
    const counted = await server.services.metrics.registry.getSingleMetricAsString('porter_messages_total');
    assert.match(counted, /outcome="given_up"} 1/);
  });
});
