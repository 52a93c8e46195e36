import assert from 'node:assert/strict';
import { createHmac } from 'node:crypto';
import { after, before, beforeEach, describe, test } from 'node:test';
import { CallbackReceiver, type ReceivedRequest } from '../../support/callback-receiver.ts';
import { httpRequest } from '../../support/http.ts';
import { needs, type PeerName } from '../peers/peers.ts';
import type { SlixmppClient, StanzaErrorInfo } from '../peers/slixmpp.ts';
import type { XmppServer, XmppServerOptions } from '../peers/xmpp-server.ts';
import { type PorterProcess, startPorter } from '../support/porter-process.ts';
import { freePort } from '../support/ports.ts';
import { createXmppTestbed, PASSWORD, type XmppTestbed } from '../support/xmpp-testbed.ts';

const BOT = 'bot.localhost';
const SECRET = 'a secret of twenty characters';
const SIGNING = 'another secret that signs';

/** Tests callbacks: messages to the component are posted to an HTTP receiver, whose answers go back to the client. */
export function testCallbacks(
  name: PeerName,
  startServer: (options: XmppServerOptions) => Promise<XmppServer>,
): void {
  describe(`Callbacks through ${name}`, { skip: needs(name, 'slixmpp') }, () => {
    let testbed: XmppTestbed;
    let server: XmppServer;
    let receiver: CallbackReceiver;
    let porter: PorterProcess;
    let romeo: SlixmppClient;
    let juliet: SlixmppClient;

    const start = (place: { folder?: string; port: number }) =>
      startPorter({
        ...place,
        config: {
          public_url: `http://127.0.0.1:${place.port}`,
          component: { jid: BOT, secret: SECRET, server: `127.0.0.1:${server.componentPort}` },
          messages: {
            callback_url: `${receiver.url}{kind}/{type}?from={from}`,
            callback: { secret: SIGNING, timeout: '10s', stanzas: ['message', 'iq'] },
          },
        },
      });
    const isReady = async () => (await httpRequest(`${porter.url}/readyz`)).status === 200;

    before(async () => {
      testbed = await createXmppTestbed();
      server = await startServer({
        components: [{ jid: BOT, secret: SECRET }],
        tls: testbed.certificate,
      });
      for (const user of ['romeo', 'juliet']) await server.register(user, PASSWORD);
      receiver = await CallbackReceiver.listen();
      porter = await start({ port: await freePort() });
      await porter.program.waitFor('the stream', isReady);
      romeo = await testbed.login(server, 'romeo');
      juliet = await testbed.login(server, 'juliet');
    });

    after(async () => {
      await romeo?.logout();
      await juliet?.logout();
      await porter?.remove();
      await receiver?.stop();
      await server?.stop();
      await testbed?.remove();
    });

    beforeEach(() => {
      receiver.received.length = 0;
      receiver.respond = () => ({ status: 204 });
    });

    const until = (event: string, ready: () => boolean | Promise<boolean>) =>
      porter.program.waitFor(event, ready);
    const queued = async () => {
      const { body } = await httpRequest(`${porter.url}/metrics`);
      return Number(/^porter_queued\{queue="callback"\} (\d+)$/m.exec(String(body))?.[1]);
    };
    const textOf = ({ body }: ReceivedRequest): string => JSON.parse(body).body;

    test('post a message with a signature, and return the answer to the client', async () => {
      receiver.respond = (post) => ({
        status: 200,
        headers: { 'Content-Type': 'application/json' },
        body: JSON.stringify({ kind: 'message', type: 'chat', body: `You said: ${textOf(post)}` }),
      });
      await romeo.run('send', { to: `echo@${BOT}`, body: 'hü <&> 🎈' });
      const answer = await romeo.run<{ from: string; body: string }>('receive');
      assert.deepEqual([answer.from, answer.body], [`echo@${BOT}`, 'You said: hü <&> 🎈']);
      const [post] = receiver.posts;
      assert.ok(post);
      assert.match(post.path, /^\/message\/chat\?from=romeo%40localhost%2F/);
      const [, seconds, given] =
        /^t=(\d+),v1=([0-9a-f]+)$/.exec(String(post.headers['x-porter-signature'])) ?? [];
      const expected = createHmac('sha256', SIGNING).update(`${seconds}.${post.body}`).digest('hex');
      assert.equal(given, expected);
    });

    test('answer iqs that only the receiver handles, or return an error if it is down', async () => {
      receiver.respond = () => ({
        status: 200,
        headers: { 'Content-Type': 'application/xmpp+xml' },
        body: "<iq type='result'><answer xmlns='urn:example:question'>42</answer></iq>",
      });
      const xml = "<query xmlns='urn:example:question'/>";
      const { xml: answer } = await romeo.run<{ xml: string }>('raw', { jid: BOT, xml });
      assert.match(answer, />42</);
      await receiver.stop();
      const { error } = await romeo.run<{ error: StanzaErrorInfo }>('raw', { jid: BOT, xml });
      assert.deepEqual([error.type, error.condition], ['wait', 'recipient-unavailable']);
      await receiver.start();
    });

    test('do not post iqs that the component answers itself', async () => {
      await romeo.run('ping', { jid: BOT });
      await romeo.run('info', { jid: BOT });
      assert.deepEqual(receiver.posts, []);
    });

    test('keep messages in order while the receiver is down, through two kills of Porter', async () => {
      await receiver.stop();
      const numbers = Array.from({ length: 40 }, (_, i) => i);
      for (const i of numbers) {
        await romeo.run('send', { to: BOT, body: `romeo ${i}` });
        await juliet.run('send', { to: BOT, body: `juliet ${i}` });
      }
      await until('all messages in the queue', async () => (await queued()) === 80);
      await porter.stop('SIGKILL');
      porter = await start(porter);
      await porter.program.waitFor('the stream', isReady);
      assert.equal(await queued(), 80);
      receiver.respond = (post) =>
        textOf(post).endsWith(' 39')
          ? { status: 200, headers: { 'Content-Type': 'text/plain' }, body: 'That was the last.' }
          : { status: 202 };
      await receiver.start();
      await until('half of the messages', () => receiver.posts.length >= 40);
      await porter.stop('SIGKILL');
      porter = await start(porter);
      await until('an empty queue', async () => (await queued()) === 0);
      const delivered = new Map(
        receiver.posts.map((post) => [post.headers['x-porter-delivery'], textOf(post)]),
      );
      for (const user of ['romeo', 'juliet']) {
        const texts = [...delivered.values()].filter((text) => text.startsWith(user));
        assert.deepEqual(
          texts,
          numbers.map((i) => `${user} ${i}`),
        );
      }
      for (const client of [romeo, juliet]) {
        assert.equal((await client.run<{ body: string }>('receive')).body, 'That was the last.');
      }
      assert.doesNotMatch(porter.program.output, new RegExp(`${SIGNING}|romeo \\d`));
    });
  });
}
