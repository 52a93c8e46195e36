import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { Element } from '@xmpp/xml';
import { chatMessage, expectRefusal } from '../../support/component-sender.ts';
import { BIND, features, mechanisms, sasl, starttls } from '../../support/fake-c2s-server.ts';
import {
  base64,
  clientNonce,
  LOGIN,
  loginRefusalAt,
  type ServerScript,
  SM,
  withServer,
} from './login-testbed.ts';

const SASL2 = 'urn:xmpp:sasl:2';
const BIND2 = 'urn:xmpp:bind:0';

/** The features of a server with SASL2, besides those of RFC 6120. */
function sasl2Features(inline: string, ...names: readonly string[]): string {
  const list = names.map((name) => `<mechanism>${name}</mechanism>`).join('');
  const authentication = `<authentication xmlns='${SASL2}'>${list}<inline>${inline}</inline></authentication>`;
  return features(mechanisms('PLAIN'), authentication);
}

const bind2 = `<bind xmlns='${BIND2}'><inline/></bind>`;
const bind2WithAcks = `<bind xmlns='${BIND2}'><inline><feature var='${SM}'/></inline></bind>`;
const limits = "<limits xmlns='urn:xmpp:stream-limits:0'><max-bytes>20000</max-bytes></limits>";

describe('a login by SASL2', () => {
  test('binds the resource with the login, without another stream, and reads the features behind it', async () => {
    const { promise: authenticated, resolve } = Promise.withResolvers<Element>();
    const script: ServerScript = async (client) => {
      await client.openStream(features(starttls));
      await client.acceptStartTls();
      await client.openStream(sasl2Features(bind2, 'PLAIN'));
      resolve(await client.nextElement());
      const id = '<authorization-identifier>romeo@localhost/Porter~1</authorization-identifier>';
      client.write(`<success xmlns='${SASL2}'>${id}<bound xmlns='${BIND2}'/></success>${features(limits)}`);
    };
    await withServer(script, async (accounts) => {
      const sender = await accounts.senderFor(LOGIN);
      assert.equal(sender.jid, 'romeo@localhost/Porter~1');
      const refusal = await expectRefusal(
        sender.deliver(chatMessage('juliet@localhost', 'x'.repeat(30_000)), { bounceWait: 0 }),
      );
      assert.equal(refusal.code, 'message_too_large');
    });
    const request = await authenticated;
    assert.ok(request.is('authenticate', SASL2));
    assert.equal(request.attrs.mechanism, 'PLAIN');
    assert.equal(request.getChild('initial-response')?.getText(), base64('\0romeo\0secret'));
    assert.equal(request.getChild('bind', BIND2)?.getChild('tag')?.getText(), 'Porter');
  });

  test('turns on acks (XEP-0198) with the login where the server offers that', async () => {
    const received: string[] = [];
    const script: ServerScript = async (client) => {
      await client.openStream(features(starttls));
      await client.acceptStartTls();
      await client.openStream(sasl2Features(bind2WithAcks, 'PLAIN'));
      const bind = (await client.nextElement()).getChild('bind', BIND2);
      assert.ok(bind?.getChild('enable', SM));
      const id = '<authorization-identifier>romeo@localhost/Porter~1</authorization-identifier>';
      const bound = `<bound xmlns='${BIND2}'><enabled xmlns='${SM}'/></bound>`;
      client.write(`<success xmlns='${SASL2}'>${id}${bound}</success>${features(`<sm xmlns='${SM}'/>`)}`);
      for (;;) {
        const { name } = await client.nextElement();
        received.push(name);
        if (name === 'r') client.write(`<a xmlns='${SM}' h='1'/>`);
      }
    };
    await withServer(script, async (accounts) => {
      const message = chatMessage('juliet@localhost', 'hello');
      await (await accounts.senderFor(LOGIN)).deliver(message, { bounceWait: 0 });
      assert.deepEqual(received, ['message', 'r']);
    });
  });

  test('requests the resource afterwards if the account names one, or the server binds none', async () => {
    for (const [inline, jid] of [
      [bind2, 'romeo@localhost/phone'],
      ['', 'romeo@localhost'],
    ] as const) {
      let requested = '';
      const script: ServerScript = async (client) => {
        await client.openStream(features(starttls));
        await client.acceptStartTls();
        await client.openStream(sasl2Features(inline, 'PLAIN'));
        assert.equal((await client.nextElement()).getChild('bind', BIND2), undefined);
        client.write(`<success xmlns='${SASL2}'/>${features(BIND)}`);
        const bind = await client.nextElement();
        requested = bind.getChild('bind')?.getChild('resource')?.getText() ?? '';
        client.write(
          `<iq type='result' id='${bind.attrs.id}'>${BIND.replace('/>', '><jid>romeo@localhost/y</jid></bind>')}</iq>`,
        );
      };
      await withServer(script, async (accounts) => {
        assert.equal((await accounts.senderFor({ ...LOGIN, jid })).jid, 'romeo@localhost/y');
      });
      assert.match(requested, jid.endsWith('phone') ? /^phone$/ : /^porter-/);
    }
  });

  test('is not used without TLS, or without a mechanism that Porter supports', async () => {
    for (const hasTls of [false, true]) {
      const script: ServerScript = async (client) => {
        if (hasTls) {
          await client.openStream(features(starttls));
          await client.acceptStartTls();
        }
        await client.openStream(sasl2Features(bind2, hasTls ? 'GSSAPI' : 'PLAIN'));
        assert.ok((await client.nextElement()).is('auth', 'urn:ietf:params:xml:ns:xmpp-sasl'));
        client.write(sasl('failure', '<account-disabled/>'));
      };
      assert.match((await loginRefusalAt(script)).text, /has disabled this account/);
    }
  });

  for (const [answer, code, text] of [
    [
      "<failure xmlns='urn:xmpp:sasl:2'><not-authorized xmlns='urn:ietf:params:xml:ns:xmpp-sasl'/></failure>",
      'credentials_wrong',
      /wrong/,
    ],
    ["<continue xmlns='urn:xmpp:sasl:2'/>", 'server_refused', /a further step, such as a second factor/],
  ] as const) {
    test(`is refused with ${code} if the server answers ${/\w+/.exec(answer)}`, async () => {
      const script: ServerScript = async (client) => {
        await client.openStream(features(starttls));
        await client.acceptStartTls();
        await client.openStream(sasl2Features(bind2, 'PLAIN'));
        await client.nextElement();
        client.write(answer);
      };
      const refusal = await loginRefusalAt(script);
      assert.equal(refusal.code, code);
      assert.match(refusal.text, text);
    });
  }

  test('rejects a server that does not prove that it knows the password', async () => {
    const script: ServerScript = async (client) => {
      await client.openStream(features(starttls));
      await client.acceptStartTls();
      await client.openStream(sasl2Features(bind2, 'SCRAM-SHA-256'));
      const first = (await client.nextElement()).getChild('initial-response')?.getText() ?? '';
      const challenge = base64(`r=${clientNonce(first)}x,s=${base64('salt')},i=4096`);
      client.write(`<challenge xmlns='${SASL2}'>${challenge}</challenge>`);
      assert.ok((await client.nextElement()).is('response', SASL2));
      client.write(`<success xmlns='${SASL2}'><bound xmlns='${BIND2}'/></success>${features()}`);
    };
    assert.match((await loginRefusalAt(script)).text, /not proven/);
  });
});
