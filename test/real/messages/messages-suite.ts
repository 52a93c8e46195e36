import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { readPictureSize } from '../../../src/messages/picture-size.ts';
import { encodeForm, type HttpResponse, httpRequest } from '../../support/http.ts';
import { wholePng } from '../../support/picture-samples.ts';
import { needsSharp } from '../../support/pictures.ts';
import { needs, type PeerName } from '../peers/peers.ts';
import type { SlixmppClient } from '../peers/slixmpp.ts';
import type { XmppServer, XmppServerOptions } from '../peers/xmpp-server.ts';
import { type PorterProcess, runPorter, startPorter } from '../support/porter-process.ts';
import { freePort } from '../support/ports.ts';
import { runProgram } from '../support/program.ts';
import { createXmppTestbed, PASSWORD, type XmppTestbed } from '../support/xmpp-testbed.ts';

const BOT = 'bot.localhost';
const SECRET = 'a secret of twenty characters';
const TOKEN = 'a-token-of-twenty-three';
const ALERTS = `alerts@${BOT}`;
const ROOM = 'lounge@conference.localhost';

interface ReceivedMessage {
  readonly from: string;
  readonly resource: string;
  readonly body: string;
  readonly url: string;
  /** Files of XEP-0447 with their metadata. */
  readonly files: readonly Record<string, unknown>[];
}

/** Tests messages from HTTP to a real client, through an XMPP server with rooms. */
export function testMessages(
  name: PeerName,
  startServer: (options: XmppServerOptions) => Promise<XmppServer>,
): void {
  describe(`Messages through ${name}`, { skip: needs(name, 'slixmpp', 'curl') }, () => {
    let testbed: XmppTestbed;
    let server: XmppServer;
    let porter: PorterProcess;
    let juliet: SlixmppClient;

    const hasThumbnails = needsSharp() === false;
    const start = (place: { folder?: string; port: number }) =>
      startPorter({
        ...place,
        env: { NODE_EXTRA_CA_CERTS: testbed.certificate.cert },
        config: {
          public_url: `http://127.0.0.1:${place.port}`,
          component: { jid: BOT, secret: SECRET, server: `127.0.0.1:${server.componentPort}` },
          access: [{ jid: 'localhost$', max_file_size: '1 MiB' }],
          thumbnails: hasThumbnails,
          messages: {
            server: `localhost:${server.clientPort}`,
            answer_timeout: '60s',
            bounce_wait: '10s',
            tokens: [
              { token: TOKEN, from: ALERTS, to: ['@localhost$', '@conference\\.localhost$'], queue: true },
            ],
          },
        },
      });
    const isReady = async () => (await httpRequest(`${porter.url}/readyz`)).status === 200;

    before(async () => {
      testbed = await createXmppTestbed();
      server = await startServer({ components: [{ jid: BOT, secret: SECRET }], tls: testbed.certificate });
      for (const user of ['romeo', 'juliet']) await server.register(user, PASSWORD);
      porter = await start({ port: await freePort() });
      await porter.program.waitFor('the stream', isReady);
      juliet = await testbed.login(server, 'juliet');
    });

    after(async () => {
      await juliet?.logout();
      await porter?.remove();
      await server?.stop();
      await testbed?.remove();
    });

    const ROMEO = `Basic ${btoa(`romeo@localhost:${PASSWORD}`)}`;
    const BEARER = `Bearer ${TOKEN}`;
    const post = (
      path: string,
      body: string | Buffer,
      headers: Record<string, string>,
    ): Promise<HttpResponse> =>
      httpRequest(`${porter.url}/msg/${path}`, {
        method: 'POST',
        body,
        headers: { 'Content-Type': 'text/plain', ...headers },
      });
    const receive = () => juliet.run<ReceivedMessage & { error?: never }>('receive');

    test('are sent from an account of the XMPP server', async () => {
      const text = 'Wherefore art thou? <&> "\'  \u{1f339}\n2nd line';
      const sent = await post('juliet?wait=0', text, { Authorization: ROMEO });
      assert.equal(sent.status, 201, sent.text);
      const { from, body } = await receive();
      assert.deepEqual([from, body], ['romeo@localhost', text]);
      const wrong = await post('juliet', 'x', { Authorization: `Basic ${btoa('romeo@localhost:no')}` });
      assert.equal(wrong.status, 401);
      assert.match(String(wrong.headers['www-authenticate']), /^Basic realm=/);
    });

    test('carry a file, whose link serves the right bytes', async () => {
      const picture = Buffer.concat([wholePng(640, 480), randomBytes(500_000)]);
      const { body, headers } = await encodeForm((form) => {
        form.append('file', new File([picture], 'Früh.png', { type: 'image/png' }));
        form.append('to', 'juliet@localhost');
        form.append('body', 'Look!');
      });
      const sent = await post('?wait=0', body, {
        ...headers,
        Authorization: BEARER,
        Accept: 'application/json',
      });
      assert.equal(sent.status, 201, sent.text);
      const text = await receive();
      assert.deepEqual([text.from, text.body], [ALERTS, 'Look!']);
      const link = await receive();
      assert.equal(link.url, link.body, 'clients show what XEP-0066 says');
      const file = await httpRequest(link.url);
      assert.equal(file.headers['content-type'], 'image/png');
      assert.ok(file.body.equals(picture));
      const answer = JSON.parse(sent.text) as { messages: { link?: string }[] };
      assert.equal(answer.messages[1]?.link, link.url);
      const [shared] = link.files;
      const thumbnail = {
        uri: `${link.url.replace(/[^/]*$/, 'Fruh.png')}?thumb=320`,
        'media-type': 'image/webp',
        width: '320',
        height: '240',
      };
      assert.equal(typeof shared?.id, 'string');
      assert.deepEqual(
        { ...shared, id: '', hash: '' },
        {
          id: '',
          hash: '',
          disposition: 'inline',
          'media-type': 'image/png',
          name: 'Früh.png',
          size: String(picture.length),
          width: '640',
          height: '480',
          sources: [link.url],
          ...(hasThumbnails && { thumbnail }),
        },
      );
      if (!hasThumbnails) return;
      const shown = await httpRequest(thumbnail.uri);
      assert.deepEqual([shown.status, shown.headers['content-type']], [200, 'image/webp']);
      assert.deepEqual(readPictureSize(shown.body), { width: 320, height: 240 });
    });

    test('may be replaced by a link: curl shares a file, with and without its length', async () => {
      const picture = randomBytes(200_000);
      const path = join(testbed.folder, 'shared.jpg');
      await writeFile(path, picture);
      const curl = (...args: string[]) =>
        runProgram('curl', ['-sS', '-u', `romeo@localhost:${PASSWORD}`, '-T', ...args]);
      const whole = await curl(path, `${porter.url}/share/`);
      const chunked = await runProgram('sh', [
        '-c',
        `cat ${path} | curl -sS -u romeo@localhost:${PASSWORD} -T - ${porter.url}/share/4f2a/shared.jpg`,
      ]);
      assert.equal(chunked.stdout, `${porter.url}/share/4f2a/shared.jpg\n`, chunked.stderr);
      for (const { stdout, stderr } of [whole, chunked]) {
        const file = await httpRequest(stdout.trim());
        assert.ok(file.body.equals(picture), stderr);
        assert.equal(file.headers['content-type'], 'image/jpeg');
      }
    });

    test('with a file that is too large are not sent', async () => {
      const { body, headers } = await encodeForm((form) => {
        form.append('body', 'This is not sent.');
        form.append('file', new File([new Uint8Array(2_000_000)], 'large.bin'));
      });
      const refused = await post('juliet', body, { ...headers, Authorization: ROMEO });
      assert.equal(refused.status, 413, refused.text);
      await post('juliet?wait=0', 'after it', { Authorization: ROMEO });
      assert.equal((await receive()).body, 'after it');
    });

    test('to an unknown user are reported as bounced', async () => {
      const bounced = await post('unknown@localhost', 'x', {
        Authorization: BEARER,
        Accept: 'application/json',
      });
      assert.equal(bounced.status, 502, bounced.text);
      assert.equal(JSON.parse(bounced.text).code, 'bounced');
      assert.match(JSON.parse(bounced.text).condition, /^[a-z-]+$/);
    });

    test('reach rooms, from HTTP and from the shell', async () => {
      await juliet.run('join', { room: ROOM, nick: 'juliet' });
      const untyped = await post(ROOM, 'To one person?', { Authorization: BEARER });
      assert.equal(untyped.status, 502, untyped.text);
      assert.match(untyped.text, /Is this a room\? Then add type: groupchat\./);
      const form = new URLSearchParams({ to: ROOM, type: 'groupchat', nick: 'Bot', body: 'From HTTP' });
      const sent = await post('', String(form), {
        Authorization: BEARER,
        'Content-Type': 'application/x-www-form-urlencoded',
      });
      assert.equal(sent.status, 201, sent.text);
      const { from, resource, body } = await receive();
      assert.deepEqual([from, resource, body], [ROOM, 'Bot', 'From HTTP']);
      await writeFile(join(porter.folder, 'chart.png'), randomBytes(1000));
      const shell = await runPorter(
        ['send', ROOM, '--type', 'groupchat', '--nick', 'Bot', '-m', 'From the shell', '-f', 'chart.png'],
        { cwd: porter.folder },
      );
      assert.equal(shell.code, 0, shell.stderr);
      assert.equal((await receive()).body, 'From the shell');
      const link = await receive();
      assert.equal((await httpRequest(link.url)).body.length, 1000);
      assert.match(shell.stdout, new RegExp(`${ROOM}: sent\\n${ROOM}: sent ${link.url}\\n`));
    });

    test('stay in order in the queue through a kill of the XMPP server and of Porter', async () => {
      await juliet.logout();
      await server.kill();
      const send = async (text: string) => {
        const { status } = await post('juliet@localhost?wait=0', text, {
          Authorization: BEARER,
          'Idempotency-Key': text,
        });
        // The outcome of a message in progress at the kill is unknown, and its key keeps that answer.
        return status;
      };
      await porter.program.waitFor('the end of the stream', async () => !(await isReady()));
      const texts = ['one', 'two', 'three'];
      for (const text of texts) assert.equal(await send(text), 202, text);
      const account = await post('juliet', 'x', { Authorization: ROMEO });
      assert.equal(account.status, 503, 'a message without a queue is refused at once');
      await porter.stop('SIGKILL');
      await server.start();
      juliet = await testbed.login(server, 'juliet');
      porter = await start({ folder: porter.folder, port: porter.port });
      const { messages } = await juliet.run<{ messages: [string, string][]; error?: never }>('collect', {
        count: 3,
      });
      assert.deepEqual(
        messages,
        texts.map((text) => [ALERTS, text]),
      );
      assert.equal(await send('one'), 202, 'a retry with the same key is not sent again');
      await porter.program.waitFor('an empty queue', async () => {
        const { text } = await httpRequest(`${porter.url}/metrics`);
        return /^porter_queued\{queue="outbox"\} 0$/m.test(text);
      });
    });
  });
}
