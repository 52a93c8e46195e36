import assert from 'node:assert/strict';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { after, before, describe, test } from 'node:test';
import { httpRequest } from '../../support/http.ts';
import { sample } from '../../unit/messages/hooks/sample-kit.ts';
import { type Alertmanager, startAlertmanager } from '../peers/alertmanager.ts';
import { needs } from '../peers/peers.ts';
import { OPEN_ROOMS, startProsody } from '../peers/prosody.ts';
import type { SlixmppClient } from '../peers/slixmpp.ts';
import type { XmppServer } from '../peers/xmpp-server.ts';
import { type PorterProcess, startPorter } from '../support/porter-process.ts';
import { freePort } from '../support/ports.ts';
import { createXmppTestbed, PASSWORD, type XmppTestbed } from '../support/xmpp-testbed.ts';

const BOT = 'bot.localhost';
const SECRET = 'a secret of twenty characters';
const TOKEN = 'the-token-of-the-room';
const PERSONAL = 'the-token-of-juliet';
const ROOM = 'ops@conference.localhost';
const PNG = Buffer.from('89504e470d0a1a0a0000000d49484452', 'hex');

interface Heard {
  readonly from: string;
  readonly resource: string;
  readonly body: string;
  readonly url: string;
}

describe('Hooks into a room of Prosody', { skip: needs('prosody', 'slixmpp', 'alertmanager') }, () => {
  let testbed: XmppTestbed;
  let server: XmppServer;
  let grafana: Server;
  let porter: PorterProcess;
  let juliet: SlixmppClient;
  let alertmanager: Alertmanager;

  before(async () => {
    testbed = await createXmppTestbed();
    server = await startProsody({
      components: [{ jid: BOT, secret: SECRET }],
      tls: testbed.certificate,
      extra: OPEN_ROOMS,
    });
    await server.register('juliet', PASSWORD);
    grafana = createServer((_request, response) => response.setHeader('Content-Type', 'image/png').end(PNG));
    await new Promise<void>((resolve) => grafana.listen(0, '127.0.0.1', resolve));
    porter = await startWith(await freePort());
    await porter.program.waitFor('the stream', isReady);
    juliet = await testbed.login(server, 'juliet');
    await juliet.run('join', { room: ROOM, nick: 'juliet' });
    alertmanager = await startAlertmanager(testbed.folder, `${porter.url}/msg/hooks/`, TOKEN);
  });

  after(async () => {
    await juliet?.logout();
    await alertmanager?.program.stop();
    await porter?.remove();
    grafana?.close();
    await server?.stop();
    await testbed?.remove();
  });

  const grafanaHost = () => `localhost:${(grafana.address() as AddressInfo).port}`;
  const configOf = (port: number, personal = PERSONAL) => {
    const from = `alerts@${BOT}`;
    const room = { from, to: ROOM, type: 'groupchat', nick: 'Alerts', images_from: grafanaHost() };
    return {
      listen: `127.0.0.1:${port}`,
      public_url: `http://127.0.0.1:${port}`,
      component: { jid: BOT, secret: SECRET, server: `127.0.0.1:${server.componentPort}` },
      access: [{ jid: `^alerts@${BOT}$`, max_file_size: '1 MiB' }],
      messages: {
        hooks: [
          { name: 'room', token: TOKEN, ...room },
          { name: 'juliet', token: personal, from, to: 'juliet@localhost', format: 'slack' },
        ],
      },
    };
  };
  const startWith = (port: number) => startPorter({ port, config: configOf(port) });
  const isReady = async () => (await httpRequest(`${porter.url}/readyz`)).status === 200;
  const post = (path: string, body: unknown) =>
    fetch(`${porter.url}/msg/hooks/${path}`, {
      method: 'POST',
      headers: { 'Content-Type': 'application/json' },
      body: JSON.stringify(body),
    });
  /** The next message whose body matches; Alertmanager may send a group in several steps. */
  const hear = async (pattern: RegExp): Promise<Heard> => {
    for (;;) {
      const heard = await juliet.run<Heard>('receive');
      if (pattern.test(heard.body)) return heard;
    }
  };
  const down = (instance: string) => ({
    labels: { alertname: 'InstanceDown', instance, job: 'node' },
    annotations: { summary: `${instance} is down` },
  });

  test('deliver alerts of a real Alertmanager by group, and their resolution', async () => {
    await alertmanager.postAlerts([down('web1')]);
    const first = await hear(/web1 is down/);
    assert.equal(first.from, ROOM);
    assert.equal(first.resource, 'Alerts');
    assert.match(first.body, /^\*\[FIRING\] InstanceDown\*\nweb1 is down\ninstance=web1 job=node\nsince 20/);
    await alertmanager.postAlerts([down('web1'), down('web2')]);
    const second = await hear(/web2 is down/);
    assert.match(
      second.body,
      /^\*\[FIRING:2\] InstanceDown\*\njob=node\n- FIRING web\d is down\n {2}instance=/,
    );
    const endsAt = new Date().toISOString();
    await alertmanager.postAlerts([
      { ...down('web1'), endsAt },
      { ...down('web2'), endsAt },
    ]);
    const third = await hear(/RESOLVED\S* InstanceDown/);
    assert.match(third.body, /from 20\S+ \S+ UTC to 20/);
  });

  test('deliver the picture of a Grafana alert as a file', async () => {
    const [alert] = sample('grafana/one').alerts as object[];
    const imageURL = `http://${grafanaHost()}/graph.png`;
    const reply = await post(TOKEN, { ...sample('grafana/one'), alerts: [{ ...alert, imageURL }] });
    assert.equal(reply.status, 201);
    await hear(/^\*\[FIRING\] High memory usage\*/);
    const picture = await hear(/graph\.png$/);
    assert.equal(picture.url, picture.body);
    const file = await fetch(picture.url);
    assert.equal(file.headers.get('content-type'), 'image/png');
    assert.deepEqual(Buffer.from(await file.arrayBuffer()), PNG);
  });

  test('deliver a Slack payload to an account', async () => {
    const reply = await post(PERSONAL, { text: 'Deploy <https://ci.example.org/1|#1> done', username: 'ci' });
    assert.equal(reply.status, 200);
    assert.equal(await reply.text(), 'ok');
    const heard = await hear(/Deploy/);
    assert.equal(heard.from, `alerts@${BOT}`);
    assert.equal(heard.body, '*ci:* Deploy #1 (https://ci.example.org/1) done');
  });

  test('change with a reload of the config', async () => {
    await porter.writeConfig(configOf(porter.port, 'a-token-that-is-new'));
    porter.program.signal('SIGHUP');
    const takes = async (token: string) => (await post(token, { text: 'new' })).status;
    await porter.program.waitFor('the new token', async () => (await takes('a-token-that-is-new')) === 200);
    await hear(/^new$/);
    assert.equal(await takes(PERSONAL), 401);
  });

  test('lose no alert while Prosody is down: Alertmanager gets 503 and retries', async () => {
    await server.kill();
    await juliet.logout();
    await porter.program.waitFor('the loss', async () => !(await isReady()));
    await alertmanager.postAlerts([down('mail')]);
    await alertmanager.program.waitFor('a refusal', () =>
      /unexpected status code 503/.test(alertmanager.program.output),
    );
    await server.start();
    juliet = await testbed.login(server, 'juliet');
    await juliet.run('join', { room: ROOM, nick: 'juliet', history: 20 });
    await hear(/mail is down/);
  });
});
