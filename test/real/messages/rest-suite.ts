import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { type HttpResponse, httpRequest } from '../../support/http.ts';
import { needs, type PeerName } from '../peers/peers.ts';
import type { SlixmppClient } from '../peers/slixmpp.ts';
import type { XmppServer, XmppServerOptions } from '../peers/xmpp-server.ts';
import { type PorterProcess, startPorter } from '../support/porter-process.ts';
import { freePort } from '../support/ports.ts';
import { createXmppTestbed, PASSWORD, type XmppTestbed } from '../support/xmpp-testbed.ts';

const BOT = 'bot.localhost';
const SECRET = 'a secret of twenty characters';
const TOKEN = 'a-token-of-twenty-three';
const ROOM = 'lounge@conference.localhost';

interface ReceivedMessage {
  readonly from: string;
  readonly resource: string;
  readonly body: string;
  readonly url: string;
}

/** Tests /rest with a real client, through an XMPP server with rooms and an archive. */
export function testRest(
  name: PeerName,
  startServer: (options: XmppServerOptions) => Promise<XmppServer>,
): void {
  describe(`Stanzas over HTTP through ${name}`, { skip: needs(name, 'slixmpp') }, () => {
    let testbed: XmppTestbed;
    let server: XmppServer;
    let porter: PorterProcess;
    let juliet: SlixmppClient;

    before(async () => {
      testbed = await createXmppTestbed();
      server = await startServer({ components: [{ jid: BOT, secret: SECRET }], tls: testbed.certificate });
      for (const user of ['romeo', 'juliet']) await server.register(user, PASSWORD);
      const port = await freePort();
      porter = await startPorter({
        port,
        config: {
          public_url: `http://127.0.0.1:${port}`,
          component: { jid: BOT, secret: SECRET, server: `127.0.0.1:${server.componentPort}` },
          messages: {
            server: `127.0.0.1:${server.clientPort}`,
            require_tls: false,
            answer_timeout: '60s',
            tokens: [{ token: TOKEN, from: `alerts@${BOT}`, to: ['^juliet@localhost$'] }],
          },
        },
      });
      const isReady = async () => (await httpRequest(`${porter.url}/readyz`)).status === 200;
      await porter.program.waitFor('the stream', isReady);
      juliet = await testbed.login(server, 'juliet');
    });

    after(async () => {
      await juliet?.logout();
      await porter?.remove();
      await server?.stop();
      await testbed?.remove();
    });

    const basic = (user: string, password: string) => `Basic ${btoa(`${user}:${password}`)}`;
    const ROMEO = basic('romeo@localhost', PASSWORD);
    const rest = (path: string, authorization: string, body?: string | object): Promise<HttpResponse> => {
      const type = typeof body === 'string' ? 'text/plain' : 'application/json';
      const headers = { authorization, accept: 'application/json' };
      if (body === undefined) return httpRequest(`${porter.url}/rest${path}`, { headers });
      const content = typeof body === 'string' ? body : JSON.stringify(body);
      return httpRequest(`${porter.url}/rest${path}`, {
        method: 'POST',
        headers: { ...headers, 'content-type': type },
        body: content,
      });
    };
    const receive = async (): Promise<ReceivedMessage> =>
      juliet.run<ReceivedMessage & { error?: never }>('receive');

    test('deliver text, JSON and XML from an account', async () => {
      const sent = await rest('/message/chat/juliet@localhost', ROMEO, 'grüß & <dich> 😀');
      assert.deepEqual([sent.status, sent.text], [202, '']);
      const { from, body } = await receive();
      assert.deepEqual([from, body], ['romeo@localhost', 'grüß & <dich> 😀']);

      const json = {
        kind: 'message',
        type: 'chat',
        to: 'juliet@localhost',
        body: 'a\u{0}b',
        oob_url: 'https://x.example/',
      };
      assert.equal((await rest('', ROMEO, json)).status, 202);
      const second = await receive();
      assert.deepEqual([second.body, second.url], ['a\u{fffd}b', 'https://x.example/']);

      const stanza =
        "<message to='juliet@localhost' type='chat' xmlns:o='jabber:x:oob'><body>x</body><o:x><o:url>https://y.example/</o:url></o:x></message>";
      const headers = { authorization: ROMEO, 'content-type': 'application/xmpp+xml' };
      const third = await httpRequest(`${porter.url}/rest`, { method: 'POST', headers, body: stanza });
      assert.equal(third.status, 202);
      assert.equal((await receive()).url, 'https://y.example/');
    });

    test('may use any address of the component with its secret, and the address of a token', async () => {
      const message = { type: 'chat', to: 'juliet@localhost', body: 'beep' };
      const from = `nagios@${BOT}/disk`;
      assert.equal((await rest('', basic(BOT, SECRET), { ...message, from })).status, 202);
      const first = await receive();
      assert.deepEqual([first.from, first.resource], [`nagios@${BOT}`, 'disk']);
      assert.equal((await rest('', `Bearer ${TOKEN}`, message)).status, 202);
      assert.equal((await receive()).from, `alerts@${BOT}`);
      assert.equal((await rest('', `Bearer ${TOKEN}`, { ...message, to: 'romeo@localhost' })).status, 403);
      assert.equal((await rest('', `Bearer ${TOKEN}`, { ...message, from })).status, 403);
    });

    test('are refused without credentials or with wrong ones', async () => {
      assert.equal((await httpRequest(`${porter.url}/rest`, { method: 'POST', body: '' })).status, 401);
      assert.equal((await rest('/ping/localhost', basic('romeo@localhost', 'no'))).status, 403);
      assert.equal((await rest('/ping/localhost', basic('romeo', PASSWORD))).status, 403);
      assert.equal((await rest('/ping/localhost', basic(BOT, 'no'))).status, 403);
    });

    for (const [sender, authorization] of [
      ['an account', () => ROMEO],
      ['a component', () => basic(BOT, SECRET)],
    ] as const) {
      test(`include iqs, whose answer is returned: ${sender}`, async () => {
        const answerTo = async (path: string) => {
          const { status, text } = await rest(path, authorization());
          assert.equal(status, 200, text);
          return JSON.parse(text);
        };
        const ping = await answerTo('/ping/localhost');
        assert.deepEqual([ping.kind, ping.type, ping.from], ['iq', 'result', 'localhost']);
        const { disco } = await answerTo('/disco/localhost');
        assert.ok(disco.features.includes('urn:xmpp:ping'), JSON.stringify(disco));
        assert.ok(disco.identities.some((one: { category: string }) => one.category === 'server'));
        const { items } = await answerTo('/items/localhost');
        assert.ok(
          items.some(({ jid }: { jid: string }) => jid === BOT),
          JSON.stringify(items),
        );
      });
    }

    test('return an error stanza unchanged', async () => {
      const { status, text } = await rest('/version/unknown@localhost/nowhere', ROMEO);
      assert.equal(status, 200);
      const { type, error, from } = JSON.parse(text);
      assert.deepEqual(
        [type, error.condition, from],
        ['error', 'service-unavailable', 'unknown@localhost/nowhere'],
      );
      const asXml = await httpRequest(`${porter.url}/rest/version/unknown@localhost/nowhere`, {
        headers: { authorization: ROMEO },
      });
      assert.equal(asXml.headers['content-type'], 'application/xmpp+xml');
      assert.match(
        asXml.text,
        /^<iq [^>]*type="error".*<service-unavailable xmlns="urn:ietf:params:xml:ns:xmpp-stanzas"\/>/,
      );
    });

    test('that bounce are answered with the bounce', async () => {
      const { status, text } = await rest('/message/chat/unknown@localhost?wait=60s', ROMEO, 'hello?');
      assert.equal(status, 200, text);
      const { kind, type, from, error } = JSON.parse(text);
      assert.deepEqual(
        [kind, type, from, error.condition],
        ['message', 'error', 'unknown@localhost', 'service-unavailable'],
      );
    });

    test('reach rooms, under the nickname of the join', async () => {
      await juliet.run('join', { room: ROOM, nick: 'juliet' });
      const said = async (authorization: string, body: string) => {
        const sent = await rest(`/message/groupchat/${ROOM}`, authorization, body);
        assert.equal(sent.status, 202, sent.text);
        for (;;) {
          const message = await receive();
          if (message.body === body) return message.resource;
        }
      };
      assert.equal(await said(ROMEO, 'first'), 'romeo');
      const join = { kind: 'presence', join: true, to: `${ROOM}/Monitor` };
      assert.equal((await rest('', basic(BOT, SECRET), join)).status, 202);
      assert.equal(await said(basic(BOT, SECRET), 'second'), 'Monitor');
      const nowhere = await rest('/message/groupchat/lounge@nowhere.localhost', ROMEO, 'x');
      assert.equal(JSON.parse(nowhere.text).type, 'error', nowhere.text);
    });

    test('read messages from the archive', async () => {
      for (const word of ['one', 'two', 'three']) {
        assert.equal((await rest('/message/chat/juliet@localhost', ROMEO, `archived ${word}`)).status, 202);
      }
      const bodies = async (query: string) => {
        const { status, text } = await rest(`/archive/?${query}`, ROMEO);
        assert.equal(status, 200, text);
        const xmpp = JSON.parse(text).xmpp ?? [JSON.parse(text)];
        const last = xmpp.pop();
        assert.deepEqual([last.kind, last.type], ['iq', 'result'], text);
        return xmpp.map(
          (one: { archive: { forward: { message: { body: string } } } }) => one.archive.forward.message.body,
        );
      };
      let found: string[] = [];
      await porter.program.waitFor('the archive', async () => {
        found = await bodies('with=juliet@localhost&max=2&before=');
        return found.at(-1) === 'archived three';
      });
      assert.deepEqual(found, ['archived two', 'archived three']);
      assert.deepEqual(await bodies('with=other@localhost&max=5'), []);
    });
  });
}
