import assert from 'node:assert/strict';
import { createHmac } from 'node:crypto';
import { after, before, beforeEach, describe, test } from 'node:test';
import { type Received, Receiver } from '../support/receiver.ts';
import { ask } from './ask.ts';
import { needs, type PeerName } from './peers.ts';
import { type RunningPorter, startPorter } from './porter.ts';
import { freePort } from './ports.ts';
import type { ErrorSeen, SlixmppClient } from './slixmpp.ts';
import { PASSWORD, type Stage, setStage } from './stage.ts';
import type { XmppServer, XmppServerOptions } from './xmpp-server.ts';

const BOT = 'bot.localhost';
const SECRET = 'a secret of twenty characters';
const SIGNING = 'another secret that signs';

/** What people write to the component, to an HTTP receiver and back, through any XMPP server. */
export function callbacksThrough(
  name: PeerName,
  startServer: (options: XmppServerOptions) => Promise<XmppServer>,
): void {
  describe(`callbacks through ${name}`, { skip: needs(name, 'slixmpp') }, () => {
    let stage: Stage;
    let server: XmppServer;
    let receiver: Receiver;
    let porter: RunningPorter;
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
    const isReady = async () => (await ask(`${porter.url}/readyz`)).status === 200;

    before(async () => {
      stage = await setStage();
      server = await startServer({
        components: [{ jid: BOT, secret: SECRET }],
        tls: stage.certificate,
      });
      for (const user of ['romeo', 'juliet']) await server.register(user, PASSWORD);
      receiver = await Receiver.listen();
      porter = await start({ port: await freePort() });
      await porter.program.until('the stream', isReady);
      romeo = await stage.login(server, 'romeo');
      juliet = await stage.login(server, 'juliet');
    });

    after(async () => {
      await romeo?.logout();
      await juliet?.logout();
      await porter?.remove();
      await receiver?.down();
      await server?.stop();
      await stage?.clear();
    });

    beforeEach(() => {
      receiver.received.length = 0;
      receiver.answer = () => ({ status: 204 });
    });

    const until = (what: string, ready: () => boolean | Promise<boolean>) =>
      porter.program.until(what, ready, 90);
    const waiting = async () => {
      const { body } = await ask(`${porter.url}/metrics`);
      return Number(/^porter_queued\{queue="callback"\} (\d+)$/m.exec(String(body))?.[1]);
    };
    const textOf = ({ body }: Received): string => JSON.parse(body).body;

    test('post what somebody writes, signed, and bring the answer back into the client', async () => {
      receiver.answer = (post) => ({
        status: 200,
        headers: { 'Content-Type': 'application/json' },
        body: JSON.stringify({ kind: 'message', type: 'chat', body: `You said: ${textOf(post)}` }),
      });
      await romeo.do('send', { to: `echo@${BOT}`, body: 'hü <&> 🎈' });
      const answer = await romeo.do<{ from: string; body: string }>('receive', { seconds: 60 });
      assert.deepEqual([answer.from, answer.body], [`echo@${BOT}`, 'You said: hü <&> 🎈']);
      const [post] = receiver.posts;
      assert.ok(post);
      assert.match(post.path, /^\/message\/chat\?from=romeo%40localhost%2F/);
      const [, seconds, given] =
        /^t=(\d+),v1=([0-9a-f]+)$/.exec(String(post.headers['x-porter-signature'])) ?? [];
      const expected = createHmac('sha256', SIGNING).update(`${seconds}.${post.body}`).digest('hex');
      assert.equal(given, expected);
    });

    test('answer questions that only the receiver understands, or say that nobody is there', async () => {
      receiver.answer = () => ({
        status: 200,
        headers: { 'Content-Type': 'application/xmpp+xml' },
        body: "<iq type='result'><answer xmlns='urn:example:question'>42</answer></iq>",
      });
      const xml = "<query xmlns='urn:example:question'/>";
      const { xml: answer } = await romeo.do<{ xml: string }>('raw', { jid: BOT, xml });
      assert.match(answer, />42</);
      await receiver.down();
      const { error } = await romeo.do<{ error: ErrorSeen }>('raw', { jid: BOT, xml });
      assert.deepEqual([error.type, error.condition], ['wait', 'recipient-unavailable']);
      await receiver.up();
    });

    test('leave alone what the component itself answers', async () => {
      await romeo.do('ping', { jid: BOT });
      await romeo.do('info', { jid: BOT });
      assert.deepEqual(receiver.posts, []);
    });

    test('keep what is written while the receiver is away, through two kills, in its order', async () => {
      await receiver.down();
      const numbers = Array.from({ length: 40 }, (_, i) => i);
      for (const i of numbers) {
        await romeo.do('send', { to: BOT, body: `romeo ${i}` });
        await juliet.do('send', { to: BOT, body: `juliet ${i}` });
      }
      await until('all to be kept', async () => (await waiting()) === 80);
      await porter.stop('SIGKILL');
      porter = await start(porter);
      await porter.program.until('the stream', isReady);
      assert.equal(await waiting(), 80);
      receiver.answer = (post) =>
        textOf(post).endsWith(' 39')
          ? { status: 200, headers: { 'Content-Type': 'text/plain' }, body: 'That was the last.' }
          : { status: 202 };
      await receiver.up();
      await until('half of it', () => receiver.posts.length >= 40);
      await porter.stop('SIGKILL');
      porter = await start(porter);
      await until('all to be handed over', async () => (await waiting()) === 0);
      const taken = new Map(receiver.posts.map((post) => [post.headers['x-porter-delivery'], textOf(post)]));
      for (const who of ['romeo', 'juliet']) {
        const texts = [...taken.values()].filter((text) => text.startsWith(who));
        assert.deepEqual(
          texts,
          numbers.map((i) => `${who} ${i}`),
        );
      }
      for (const client of [romeo, juliet]) {
        assert.equal(
          (await client.do<{ body: string }>('receive', { seconds: 60 })).body,
          'That was the last.',
        );
      }
      assert.doesNotMatch(porter.program.output, new RegExp(`${SIGNING}|romeo \\d`));
    });
  });
}
