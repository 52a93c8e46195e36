import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { Agent, request } from 'node:http';
import { after, before, describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { waitForCount } from '../../support/wait-until.ts';
import { startGoListener } from '../peers/go-sendxmpp.ts';
import { needs } from '../peers/peers.ts';
import { type Prosody, startProsody } from '../peers/prosody.ts';
import type { SlixmppClient } from '../peers/slixmpp.ts';
import { type PorterProcess, startPorter } from '../support/porter-process.ts';
import { createXmppTestbed, PASSWORD, type XmppTestbed } from '../support/xmpp-testbed.ts';

const SENDERS = Array.from({ length: 100 }, (_, number) => `sender${number}`);
const EACH = 500;

describe('A large number of messages', { skip: needs('prosody', 'slixmpp', 'go-sendxmpp') }, () => {
  let testbed: XmppTestbed;
  let server: Prosody;
  let porter: PorterProcess;
  const agent = new Agent({ keepAlive: true, maxSockets: SENDERS.length });

  before(async () => {
    testbed = await createXmppTestbed();
    server = await startProsody({ tls: testbed.certificate, logLevel: 'warn' });
    await server.registerMany([...SENDERS, 'romeo', 'juliet'], PASSWORD);
    porter = await startPorter({
      // The default answer timeout would make the test depend on the speed of the machine.
      config: {
        messages: {
          server: `localhost:${server.clientPort}`,
          accounts: '@localhost$',
          answer_timeout: '5m',
        },
      },
      env: { NODE_EXTRA_CA_CERTS: testbed.certificate.cert },
    });
  });

  after(async () => {
    agent.destroy();
    await porter?.remove();
    await server?.stop();
    await testbed?.remove();
  });

  /** Posts one message; resolves with the status, or 0 if the connection broke. */
  function post(user: string, to: string, body: string, headers: Record<string, string> = {}) {
    const auth = `${user}@localhost:${PASSWORD}`;
    return new Promise<number>((resolve) => {
      const sent = request(`${porter.url}/msg/${to}?wait=0`, {
        method: 'POST',
        agent,
        auth,
        headers: { 'Content-Type': 'text/plain', 'Content-Length': Buffer.byteLength(body), ...headers },
      });
      sent.on('error', () => resolve(0));
      sent.on('response', (response) => {
        response.resume().on('end', () => resolve(response.statusCode ?? 0));
      });
      sent.end(body);
    });
  }

  test('50,000 messages from 100 accounts arrive exactly once, in order per sender', async () => {
    const romeo: SlixmppClient = await testbed.login(server, 'romeo');
    const juliet = startGoListener(testbed.account(server, 'juliet'), testbed.certificate.cert);
    try {
      await juliet.waitFor('login', async () => {
        await romeo.run('send', { to: 'juliet@localhost', body: 'are you there?' });
        return juliet.stdout.includes('are you there?');
      });
      await Promise.all(
        SENDERS.map(async (user) => {
          for (let number = 0; number < EACH; number += 1) {
            const to = number % 2 === 0 ? 'romeo' : 'juliet';
            assert.equal(await post(user, to, `${user} says ${number}`), 201);
          }
        }),
      );
      const evens = new Map<string, number[]>();
      let received = 0;
      const receiveMore = async () => {
        const { messages } = await romeo.run<{ messages: [string, string][] }>('drain');
        for (const [from, body] of messages) addNumber(evens, from.split('@')[0] ?? '', body);
        received += messages.length;
        return received;
      };
      await waitForCount('messages for Romeo', receiveMore, (SENDERS.length * EACH) / 2);
      const heard = () => [...juliet.stdout.matchAll(/(sender\d+)@localhost.*? says (\d+)/g)];
      await waitForCount('messages for Juliet', () => heard().length, (SENDERS.length * EACH) / 2);
      const odds = new Map<string, number[]>();
      for (const [, from = '', number = ''] of heard()) addNumber(odds, from, number);
      for (const user of SENDERS) {
        const all = Array.from({ length: EACH }, (_, number) => number);
        assert.deepEqual(
          evens.get(user),
          all.filter((number) => number % 2 === 0),
        );
        assert.deepEqual(
          odds.get(user),
          all.filter((number) => number % 2 === 1),
        );
      }
    } finally {
      await juliet.stop('SIGKILL');
      await romeo.logout();
    }
  });

  test('a kill of the XMPP server loses and reorders no message that was answered with 201', async () => {
    const count = 60;
    const users = SENDERS.slice(0, 20);
    let answered = 0;
    const tried = new Set<number>();
    const sent = Promise.all(
      users.map(async (user) => {
        for (let number = 0; number < count; number += 1) {
          let key = randomUUID();
          for (;;) {
            const headers = { 'Idempotency-Key': key };
            const status = await post(user, 'romeo', `${user} says ${number}`, headers);
            tried.add(status);
            if (status === 201) break;
            assert.ok([502, 503, 504].includes(status), `${status}`);
            // The outcome is unknown, and the key keeps that answer. A new key sends the message again, so it may arrive twice.
            if (status === 504) key = randomUUID();
            await sleep(100);
          }
          answered += 1;
        }
      }),
    );
    await waitForCount('answered messages', () => answered, (users.length * count) / 2);
    await server.kill();
    await sleep(500);
    await server.start();
    await sent;
    assert.ok(tried.size > 1, 'no request noticed the kill');

    const romeo = await testbed.login(server, 'romeo');
    const numbers = new Map<string, number[]>();
    const receiveMore = async () => {
      const { messages } = await romeo.run<{ messages: [string, string][] }>('drain');
      for (const [from, body] of messages) addNumber(numbers, from.split('@')[0] ?? '', body);
      return users.reduce((sum, user) => sum + new Set(numbers.get(user)).size, 0);
    };
    await waitForCount('offline messages for Romeo', receiveMore, users.length * count);
    await romeo.logout();
    for (const user of users) {
      // A message whose answer was lost by the kill is sent again, so it may arrive twice.
      const once = (numbers.get(user) ?? []).filter((number, index, all) => all.indexOf(number) === index);
      assert.deepEqual(
        once,
        [...once].sort((one, other) => one - other),
      );
    }
  });
});

function addNumber(numbers: Map<string, number[]>, from: string, body: string): void {
  const list = numbers.get(from) ?? [];
  list.push(Number(/\d+$/.exec(body)?.[0]));
  numbers.set(from, list);
}
