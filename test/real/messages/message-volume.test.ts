import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { Agent, request } from 'node:http';
import { after, before, describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { startGoListener } from '../peers/go-sendxmpp.ts';
import { needs } from '../peers/peers.ts';
import { type Prosody, startProsody } from '../peers/prosody.ts';
import type { SlixmppClient } from '../peers/slixmpp.ts';
import { type PorterProcess, startPorter } from '../support/porter-process.ts';
import { createXmppTestbed, PASSWORD, type XmppTestbed } from '../support/xmpp-testbed.ts';

const SENDERS = Array.from({ length: 100 }, (_, number) => `sender${number}`);
const EACH = 500;

describe('very many messages', { skip: needs('prosody', 'slixmpp', 'go-sendxmpp') }, () => {
  let stage: XmppTestbed;
  let server: Prosody;
  let porter: PorterProcess;
  const agent = new Agent({ keepAlive: true, maxSockets: SENDERS.length });

  before(async () => {
    stage = await createXmppTestbed();
    server = await startProsody({ tls: stage.certificate, logLevel: 'warn' });
    await server.registerMany([...SENDERS, 'romeo', 'juliet'], PASSWORD);
    porter = await startPorter({
      config: { messages: { server: `localhost:${server.clientPort}` } },
      env: { NODE_EXTRA_CA_CERTS: stage.certificate.cert },
    });
  });

  after(async () => {
    agent.destroy();
    await porter?.remove();
    await server?.stop();
    await stage?.remove();
  });

  /** One POST; its status, or 0 where the connection broke. */
  function post(user: string, to: string, body: string, headers: Record<string, string> = {}) {
    const auth = `${user}@localhost:${PASSWORD}`;
    return new Promise<number>((resolve) => {
      const asked = request(`${porter.url}/msg/${to}?wait=0`, {
        method: 'POST',
        agent,
        auth,
        headers: { 'Content-Type': 'text/plain', 'Content-Length': Buffer.byteLength(body), ...headers },
      });
      asked.on('error', () => resolve(0));
      asked.on('response', (response) => {
        response.resume().on('end', () => resolve(response.statusCode ?? 0));
      });
      asked.end(body);
    });
  }

  test('50,000 of 100 accounts arrive, each once, in the order of each sender', async () => {
    const romeo: SlixmppClient = await stage.login(server, 'romeo');
    const juliet = startGoListener(stage.account(server, 'juliet'), stage.certificate.cert);
    try {
      await juliet.waitFor('login', async () => {
        await romeo.run('send', { to: 'juliet@localhost', body: 'are you there?' });
        return juliet.stdout.includes('are you there?');
      });
      const collected = romeo.run<{ messages: [string, string][] }>('collect', {
        count: (SENDERS.length * EACH) / 2,
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
      for (const [from, body] of (await collected).messages) note(evens, from.split('@')[0] ?? '', body);
      const heard = () => [...juliet.stdout.matchAll(/(sender\d+)@localhost.*? says (\d+)/g)];
      await juliet.waitFor('all messages', () => heard().length >= (SENDERS.length * EACH) / 2, 120);
      const odds = new Map<string, number[]>();
      for (const [, from = '', number = ''] of heard()) note(odds, from, number);
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

  test('the XMPP server is killed in the middle: nothing that was answered 201 is lost or out of order', async () => {
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
            // Nobody knows whether it was taken, and its key says so for ever: sent anew, it may come twice.
            if (status === 504) key = randomUUID();
            await sleep(100);
          }
          answered += 1;
        }
      }),
    );
    await porter.program.waitFor('half of them', () => answered > (users.length * count) / 2, 120);
    await server.kill();
    await sleep(500);
    await server.start();
    await sent;
    assert.ok(tried.size > 1, 'nobody noticed that the server was gone');

    const romeo = await stage.login(server, 'romeo');
    const numbers = new Map<string, number[]>();
    await porter.program.waitFor(
      'all that was kept for Romeo',
      async () => {
        const { messages } = await romeo.run<{ messages: [string, string][] }>('drain');
        for (const [from, body] of messages) note(numbers, from.split('@')[0] ?? '', body);
        return users.every((user) => new Set(numbers.get(user)).size === count);
      },
      60,
    );
    await romeo.logout();
    for (const user of users) {
      // A message whose answer was lost in the fall is sent again: it may come twice, in its place.
      const once = (numbers.get(user) ?? []).filter((number, place, all) => all.indexOf(number) === place);
      assert.deepEqual(
        once,
        [...once].sort((one, other) => one - other),
      );
    }
  });
});

function note(numbers: Map<string, number[]>, from: string, body: string): void {
  const known = numbers.get(from) ?? [];
  known.push(Number(/\d+$/.exec(body)?.[0]));
  numbers.set(from, known);
}
