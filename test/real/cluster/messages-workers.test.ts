import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { httpRequest } from '../../support/http.ts';
import { needs } from '../peers/peers.ts';
import { OPEN_ROOMS, startProsody } from '../peers/prosody.ts';
import type { SlixmppClient } from '../peers/slixmpp.ts';
import type { XmppServer } from '../peers/xmpp-server.ts';
import { type PorterProcess, startPorter } from '../support/porter-process.ts';
import { freePort } from '../support/ports.ts';
import { createXmppTestbed, PASSWORD, type XmppTestbed } from '../support/xmpp-testbed.ts';
import { connectToWorkers, type WorkerConnection } from './worker-connections.ts';
import { leaderPid, readLog, servingWorkers } from './worker-log.ts';

const BOT = 'bot.localhost';
const SECRET = 'a secret of twenty characters';
const TOKEN = 'a-token-of-twenty-three';
const RARE = 'a-token-that-may-do-little';
const HOOK = 'a-hook-that-may-do-little';
const ROOM = 'lounge@conference.localhost';
const MESSAGES = 40;
const ALLOWED = 7;

const bearer = (token: string) => ({ Authorization: `Bearer ${token}` });
const PLAIN = { 'Content-Type': 'text/plain' };
const JSON_WANTED = { Accept: 'application/json' };

describe('Messages of two workers, one of which holds the stream', {
  skip: needs('prosody', 'slixmpp'),
}, () => {
  let testbed: XmppTestbed;
  let server: XmppServer;
  let porter: PorterProcess;
  let juliet: SlixmppClient;
  /** Connections to the worker with the stream and to the one without. */
  let leading: WorkerConnection;
  let other: WorkerConnection;
  let closeConnections: (() => void) | undefined;

  before(async () => {
    testbed = await createXmppTestbed();
    server = await startProsody({
      components: [{ jid: BOT, secret: SECRET }],
      tls: testbed.certificate,
      extra: OPEN_ROOMS,
    });
    await server.register('juliet', PASSWORD);
    const port = await freePort();
    const messages_per = { period: '1h', messages: ALLOWED };
    const from = `alerts@${BOT}`;
    porter = await startPorter({
      port,
      config: {
        workers: 2,
        public_url: `http://127.0.0.1:${port}`,
        component: { jid: BOT, secret: SECRET, server: `127.0.0.1:${server.componentPort}` },
        messages: {
          tokens: [
            { token: TOKEN, from },
            { token: RARE, from: `rare@${BOT}`, messages_per },
          ],
          hooks: [{ name: 'rare', token: HOOK, from: `hook@${BOT}`, to: 'juliet@localhost', messages_per }],
          answer_timeout: '60s',
        },
      },
    });
    const { program, url } = porter;
    await program.waitFor('both workers', () => servingWorkers(program).size === 2);
    await program.waitFor('the stream', async () => (await httpRequest(`${url}/readyz`)).status === 200);
    juliet = await testbed.login(server, 'juliet');
    const { connections, close } = await connectToWorkers(porter, 2, (connection) =>
      connection.request('/msg/juliet@localhost?wait=0', {
        headers: { ...bearer(TOKEN), ...PLAIN, ...JSON_WANTED },
        body: 'probe',
      }),
    );
    closeConnections = close;
    for (const [worker, line] of connections) {
      if (servingWorkers(program).get(worker) === leaderPid(program)) leading = line;
      else other = line;
    }
    assert.ok(leading && other);
  });

  after(async () => {
    closeConnections?.();
    await juliet?.logout();
    await porter?.remove();
    await server?.stop();
    await testbed?.remove();
  });

  /** The received texts, without probes, up to `last`. */
  async function heardUntil(last: string): Promise<string[]> {
    const heard: string[] = [];
    await porter.program.waitFor(`"${last}" to arrive`, async () => {
      const { messages } = await juliet.run<{ messages: [string, string][] }>('drain');
      heard.push(...messages.map(([, body]) => body).filter((body) => body !== 'probe'));
      return heard.includes(last);
    });
    return heard;
  }

  const send = (connection: WorkerConnection, text: string, headers: Record<string, string> = {}) =>
    connection.request('/msg/juliet@localhost?wait=0', {
      headers: { ...bearer(TOKEN), ...PLAIN, ...JSON_WANTED, ...headers },
      body: text,
    });

  test('are sent from either worker', async () => {
    const texts = Array.from({ length: MESSAGES }, (_, number) => `message ${number}`);
    const answers = await Promise.all(
      texts.map((text, number) => send(number % 2 === 0 ? leading : other, text)),
    );
    assert.deepEqual(new Set(answers.map(({ status }) => status)), new Set([201]));
    assert.equal((await send(other, 'the last')).status, 201);
    const heard = await heardUntil('the last');
    assert.deepEqual(heard.sort(), [...texts, 'the last'].sort());
    const sent = readLog(porter.program).filter(({ msg }) => msg === 'message sent');
    assert.equal(new Set(sent.map(({ worker }) => worker)).size, 2, 'both had a part in it');
  });

  test('are not sent twice if a retry reaches the other worker', async () => {
    const key = { 'Idempotency-Key': 'once and no more' };
    const first = await send(other, 'only once', key);
    assert.equal(first.status, 201, first.text);
    assert.deepEqual(await send(leading, 'only once', key), first);
    assert.deepEqual(await send(other, 'only once', key), first);
    assert.equal((await send(leading, 'something else', key)).status, 422);
    await send(leading, 'after it');
    assert.deepEqual(await heardUntil('after it'), ['only once', 'after it']);
  });

  test('share one rate limit, which is exact', async () => {
    const token = (connection: WorkerConnection) => send(connection, 'rare', bearer(RARE));
    const hook = (connection: WorkerConnection) =>
      connection.request(`/msg/hooks/${HOOK}?wait=0`, { headers: PLAIN, body: 'from the hook' });
    for (const post of [token, hook]) {
      const connections = Array.from({ length: 3 * ALLOWED }, (_, number) =>
        number % 2 === 0 ? leading : other,
      );
      const statuses = (await Promise.all(connections.map(post))).map(({ status }) => status).sort();
      const refused = Array.from({ length: 2 * ALLOWED }, () => 429);
      assert.deepEqual(statuses, [...Array.from({ length: ALLOWED }, () => 201), ...refused]);
    }
    await send(leading, 'after them');
    const heard = await heardUntil('after them');
    for (const text of ['rare', 'from the hook']) {
      assert.equal(heard.filter((body) => body === text).length, ALLOWED);
    }
  });

  test('reach rooms from the worker without the stream', async () => {
    await juliet.run('join', { room: ROOM, nick: 'juliet' });
    const sent = await other.request(`/msg/${ROOM}?type=groupchat&nick=Bot`, {
      headers: { ...bearer(TOKEN), ...PLAIN },
      body: 'Hello, room',
    });
    assert.equal(sent.status, 201, sent.text);
    assert.deepEqual(await heardUntil('Hello, room'), ['Hello, room']);
  });

  test('include raw stanzas from the worker without the stream, whose answers come back', async () => {
    const headers = { Authorization: `Basic ${btoa(`${BOT}:${SECRET}`)}`, ...JSON_WANTED };
    const answer = await other.request('/rest/disco/localhost', { headers });
    assert.equal(answer.status, 200, answer.text);
    const { kind, type, from, to, disco } = JSON.parse(answer.text);
    assert.deepEqual([kind, type, from, to], ['iq', 'result', 'localhost', BOT]);
    assert.ok(disco.identities.some(({ category }: { category: string }) => category === 'server'));
    const unknown = await other.request('/rest/ping/unknown.localhost', { headers });
    assert.deepEqual([unknown.status, JSON.parse(unknown.text).type], [200, 'error']);
    const wrong = { Authorization: `Basic ${btoa(`${BOT}:wrong`)}` };
    assert.equal((await other.request('/rest/ping/localhost', { headers: wrong })).status, 403);
  });
});
