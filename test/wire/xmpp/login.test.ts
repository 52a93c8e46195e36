import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import xml, { type Element } from '@xmpp/xml';
import { pino } from 'pino';
import { type AccountSettings, createAccountSenders } from '../../../src/xmpp/client/account-senders.ts';
import { accountSettings } from '../../support/account-settings.ts';
import { chatMessage, expectRefusal } from '../../support/component-sender.ts';
import {
  BIND,
  type FakeC2sConnection,
  FakeC2sServer,
  features,
  mechanisms,
  sasl,
  starttls,
} from '../../support/fake-c2s-server.ts';
import { waitUntil } from '../../support/wait-until.ts';

type ServerScript = (client: FakeC2sConnection) => Promise<void>;
const LOGIN = { jid: 'romeo@localhost', password: 'secret', address: '192.0.2.1' };

/** Runs `work` with senders that log in at a server that follows the script. */
async function withServer(
  script: ServerScript,
  work: (accounts: ReturnType<typeof createAccountSenders>, logLines: readonly string[]) => Promise<void>,
  settings: Partial<AccountSettings> = {},
): Promise<void> {
  const server = await FakeC2sServer.listen(script);
  const logLines: string[] = [];
  const accounts = createAccountSenders({
    clock: Date.now,
    log: pino({ level: 'debug' }, { write: (line: string) => void logLines.push(line) }),
    settings: () =>
      accountSettings(server.port, { requireTls: false, sessions: { max: 5, idle: 60_000 }, ...settings }),
  });
  try {
    await work(accounts, logLines);
  } finally {
    await accounts.stop();
    await server.stop();
  }
}

/** Returns the refusal of a login at this server, and checks that the password is not logged. */
async function loginRefusalAt(script: ServerScript, settings: Partial<AccountSettings> = {}) {
  let code = '';
  let text = '';
  await withServer(
    script,
    async (accounts, logLines) => {
      const refusal = await expectRefusal(accounts.senderFor(LOGIN));
      code = refusal.code;
      text = refusal.message;
      assert.doesNotMatch(logLines.join(''), /secret/);
    },
    settings,
  );
  return { code, text };
}

const base64 = (text: string) => Buffer.from(text).toString('base64');
const clientNonce = (first: string) => /r=([^,]+)/.exec(Buffer.from(first, 'base64').toString())?.[1] ?? '';

const SASL2 = 'urn:xmpp:sasl:2';
const BIND2 = 'urn:xmpp:bind:0';
const SM = 'urn:xmpp:sm:3';

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

describe('a login', () => {
  test('sends no password to a server without TLS', async () => {
    let received = '';
    const script: ServerScript = async (client) => {
      await client.openStream(features(mechanisms('PLAIN', 'SCRAM-SHA-1')));
      received += String(await client.nextElement());
    };
    const { code, text } = await loginRefusalAt(script, { requireTls: true });
    assert.equal(code, 'server_refused');
    assert.match(text, /no TLS/);
    assert.equal(received, '');
  });

  test('ignores plain text that arrives behind the start of TLS', async () => {
    const script: ServerScript = async (client) => {
      await client.openStream(features(starttls));
      await client.acceptStartTls(features(mechanisms('PLAIN')));
      await client.acceptPlainLogin();
    };
    assert.notEqual((await loginRefusalAt(script)).code, 'credentials_wrong');
  });

  test('sends no password to a server with a certificate for another domain', async () => {
    const script: ServerScript = async (client) => {
      await client.openStream(features(starttls));
      await client.acceptStartTls();
      await client.acceptPlainLogin();
    };
    const { code, text } = await loginRefusalAt(script, { requireTls: true });
    assert.equal(code, 'server_refused');
    assert.match(text, /certificate/);
    await withServer(script, async (accounts) => {
      assert.equal((await accounts.senderFor(LOGIN)).jid, 'romeo@localhost/x');
    });
  });

  test('rejects a server that cannot prove that it knows the password', async () => {
    const script: ServerScript = async (client) => {
      await client.openStream(features(mechanisms('SCRAM-SHA-256', 'PLAIN')));
      const auth = await client.nextElement();
      assert.equal(auth.attrs.mechanism, 'SCRAM-SHA-256');
      client.write(sasl('challenge', base64(`r=${clientNonce(auth.getText())}x,s=${base64('salt')},i=4096`)));
      await client.nextElement();
      client.write(sasl('success', base64(`v=${base64('a proof of nothing at all')}`)));
    };
    const { code, text } = await loginRefusalAt(script);
    assert.equal(code, 'server_refused');
    assert.match(text, /not proven/);
  });

  const plusCases = [
    ['tls-exporter', ['tls-server-end-point', 'tls-exporter']],
    ['tls-server-end-point', ['tls-unique', 'tls-server-end-point']],
  ] as const;
  for (const [type, offered] of plusCases) {
    test(`is bound to the TLS connection by ${type} where the server offers it`, async () => {
      const { promise: seen, resolve } = Promise.withResolvers<{ mechanism: string; input: Buffer }>();
      const { promise: expected, resolve: resolveExpected } = Promise.withResolvers<Buffer>();
      const script: ServerScript = async (client) => {
        await client.openStream(features(starttls));
        await client.acceptStartTls();
        const types = offered.map((name) => `<channel-binding type='${name}'/>`).join('');
        const bindings = `<sasl-channel-binding xmlns='urn:xmpp:sasl-cb:0'>${types}</sasl-channel-binding>`;
        await client.openStream(
          features(mechanisms('SCRAM-SHA-256-PLUS', 'SCRAM-SHA-256', 'SCRAM-SHA-1-PLUS'), bindings),
        );
        const auth = await client.nextElement();
        client.write(
          sasl('challenge', base64(`r=${clientNonce(auth.getText())}x,s=${base64('salt')},i=4096`)),
        );
        const final = Buffer.from((await client.nextElement()).getText(), 'base64').toString();
        resolveExpected(client.channelBinding(type));
        const input = Buffer.from(/^c=([^,]*)/.exec(final)?.[1] ?? '', 'base64');
        resolve({ mechanism: auth.attrs.mechanism ?? '', input });
        client.write(sasl('failure', '<not-authorized/>'));
      };
      assert.equal((await loginRefusalAt(script)).code, 'credentials_wrong');
      const { mechanism, input } = await seen;
      assert.equal(mechanism, 'SCRAM-SHA-256-PLUS');
      assert.deepEqual(input, Buffer.concat([Buffer.from(`p=${type},,`), await expected]));
    });
  }

  test('is not bound if the server does not say how', async () => {
    const script: ServerScript = async (client) => {
      await client.openStream(features(starttls));
      await client.acceptStartTls();
      await client.openStream(features(mechanisms('SCRAM-SHA-256-PLUS', 'SCRAM-SHA-1')));
      const { mechanism } = (await client.nextElement()).attrs;
      client.write(
        sasl('failure', mechanism === 'SCRAM-SHA-1' ? '<temporary-auth-failure/>' : '<not-authorized/>'),
      );
    };
    assert.equal((await loginRefusalAt(script)).code, 'unavailable');
  });

  test('rejects an excessive iteration count', async () => {
    const script: ServerScript = async (client) => {
      await client.openStream(features(mechanisms('SCRAM-SHA-1')));
      const auth = await client.nextElement();
      client.write(
        sasl('challenge', base64(`r=${clientNonce(auth.getText())}x,s=${base64('salt')},i=2000000000`)),
      );
    };
    const { code, text } = await loginRefusalAt(script);
    assert.equal(code, 'server_refused');
    assert.match(text, /iterations/);
  });

  const failures = [
    ['not-authorized', 'credentials_wrong'],
    ['account-disabled', 'credentials_wrong'],
    ['temporary-auth-failure', 'unavailable'],
    ['mechanism-too-weak', 'server_refused'],
  ] as const;
  for (const [condition, code] of failures) {
    test(`that fails with ${condition} is refused with ${code}`, async () => {
      const script: ServerScript = async (client) => {
        await client.openStream(features(mechanisms('PLAIN')));
        await client.nextElement();
        client.write(sasl('failure', `<${condition}/>`));
      };
      assert.equal((await loginRefusalAt(script)).code, code);
    });
  }

  test('reports the offered mechanisms if it supports none of them', async () => {
    const script: ServerScript = (client) => client.openStream(features(mechanisms('GSSAPI')));
    const { code, text } = await loginRefusalAt(script);
    assert.equal(code, 'server_refused');
    assert.match(text, /GSSAPI/);
  });

  test('reports the condition if the server refuses the resource', async () => {
    const script: ServerScript = async (client) => {
      await client.openStream(features(mechanisms('PLAIN')));
      await client.nextElement();
      client.write(sasl('success'));
      await client.openStream(features(BIND));
      const { attrs } = await client.nextElement();
      client.write(
        `<iq type='error' id='${attrs.id}'><error type='wait'><resource-constraint/></error></iq>`,
      );
    };
    const { code, text } = await loginRefusalAt(script);
    assert.equal(code, 'server_refused');
    assert.match(text, /resource-constraint/);
  });

  test('at a silent server ends after the timeout', async () => {
    assert.equal((await loginRefusalAt(async () => undefined, { answerTimeout: 200 })).code, 'no_answer');
  });

  test('ends if the server sends an endless element or no XML', async () => {
    const endless: ServerScript = async (client) => {
      await client.openStream('<stream:features>', 'x'.repeat(100_000));
    };
    assert.equal((await loginRefusalAt(endless)).code, 'unavailable');
    const notXml: ServerScript = async (client) => client.write('HTTP/1.1 400 Bad Request\r\n\r\n</a>');
    assert.equal((await loginRefusalAt(notXml)).code, 'unavailable');
  });

  test('at a closed port is refused with unavailable', async () => {
    await withServer(
      async () => undefined,
      async (accounts) => {
        assert.equal((await expectRefusal(accounts.senderFor(LOGIN))).code, 'unavailable');
      },
      { server: { host: '127.0.0.1', port: 1 } },
    );
  });

  test('at a domain that resolves to this machine is refused unless the config names its server', async () => {
    const { code, text } = await loginRefusalAt(async () => undefined, { server: null });
    assert.equal(code, 'server_refused');
    assert.match(text, /messages\.server/);
  });

  test('is refused for a while after five wrong passwords, with the time to retry', async () => {
    const script: ServerScript = async (client) => {
      await client.openStream(features(mechanisms('PLAIN')));
      await client.nextElement();
      client.write(sasl('failure', '<not-authorized/>'));
    };
    await withServer(script, async (accounts) => {
      for (let n = 0; n < 5; n += 1) {
        assert.equal(
          (await expectRefusal(accounts.senderFor({ ...LOGIN, password: `${n}` }))).code,
          'credentials_wrong',
        );
      }
      const refusal = await expectRefusal(accounts.senderFor(LOGIN));
      assert.equal(refusal.code, 'too_many_attempts');
      assert.ok((refusal.retryAt ?? 0) > Date.now());
    });
  });

  test('allows no further guesses for another spelling of the account', async () => {
    const script: ServerScript = async (client) => {
      await client.openStream(features(mechanisms('PLAIN')));
      await client.nextElement();
      client.write(sasl('failure', '<not-authorized/>'));
    };
    await withServer(script, async (accounts) => {
      for (const name of ['stra\u00dfe', 'strasse', 'STRASSE', '\uff53trasse', 'Stra\u1e9ee']) {
        const guess = accounts.senderFor({ ...LOGIN, jid: `${name}@localhost`, password: name });
        assert.equal((await expectRefusal(guess)).code, 'credentials_wrong');
      }
      for (const name of ['strasse', 'stra\u00dfe']) {
        const refusal = await expectRefusal(accounts.senderFor({ ...LOGIN, jid: `${name}@localhost` }));
        assert.equal(refusal.code, 'too_many_attempts');
      }
    });
  });

  test('is refused if the server binds an address at another domain, or an invalid one', async () => {
    for (const bound of ['romeo@example.org/x', 'localhost/x', 'ro\u00admeo@localhost/x']) {
      const { code } = await loginRefusalAt((client) => client.acceptPlainLogin(bound));
      assert.equal(code, 'server_refused', bound);
    }
  });

  test('is refused if the config does not allow the account that the server binds', async () => {
    const mayLogIn = (account: string) => account === 'romeo@localhost';
    const script: ServerScript = (client) => client.acceptPlainLogin('juliet@localhost/x');
    assert.equal((await loginRefusalAt(script, { mayLogIn })).code, 'credentials_wrong');
  });

  test('is refused for accounts that the config does not allow', async () => {
    const mayLogIn = (account: string) => account.endsWith('@example.org');
    assert.equal(
      (await loginRefusalAt((client) => client.acceptPlainLogin(), { mayLogIn })).code,
      'credentials_wrong',
    );
  });
});

describe('an account session', () => {
  /** Accepts the login, answers every ping and records all other stanzas. */
  function acceptAndRecord(
    received: string[],
    afterLogin: (client: FakeC2sConnection) => void = () => undefined,
  ): ServerScript {
    return async (client) => {
      await client.acceptPlainLogin();
      afterLogin(client);
      for (;;) {
        const stanza = await client.nextElement();
        if (stanza.getChild('ping')) client.write(`<iq type='result' id='${stanza.attrs.id}'/>`);
        else received.push(String(stanza));
      }
    };
  }

  test('confirms the stanzas that it has received if the server asks (XEP-0198)', async () => {
    const { promise: confirmed, resolve } = Promise.withResolvers<Element>();
    const script: ServerScript = async (client) => {
      await client.acceptPlainLogin();
      const message = "<message from='juliet@localhost/x' type='headline'/>";
      client.write(`${message}${message}<r xmlns='urn:xmpp:sm:3'/>`);
      resolve(await client.nextElement());
    };
    await withServer(script, async (accounts) => {
      await accounts.senderFor(LOGIN);
      const answer = await confirmed;
      assert.deepEqual([answer.name, answer.attrs.xmlns, answer.attrs.h], ['a', 'urn:xmpp:sm:3', '2']);
    });
  });

  /** Turns on acks and calls `serve` with each further element. Other clients than Porter may write to the session too. */
  const withAcks =
    (serve: (client: FakeC2sConnection, element: Element) => void, others = ''): ServerScript =>
    async (client) => {
      await client.acceptPlainLogin('romeo@localhost/x', `<sm xmlns='${SM}'/>`);
      assert.ok((await client.nextElement()).is('enable', SM));
      client.write(`<enabled xmlns='${SM}'/>${others}`);
      for (;;) serve(client, await client.nextElement());
    };
  const hello = (id: string) => chatMessage('juliet@localhost', 'hello', { id });

  test('asks for an ack instead of a ping to its server where the server has acks', async () => {
    const received: string[] = [];
    let stanzas = 0;
    const script = withAcks((client, element) => {
      received.push(element.is('r', SM) ? 'r' : `${element.name} ${element.attrs.to}`);
      if (element.is('r', SM)) client.write(`<a xmlns='${SM}' h='${stanzas}'/>`);
      else stanzas += 1;
    });
    await withServer(script, async (accounts) => {
      const romeo = await accounts.senderFor(LOGIN);
      for (const id of ['m1', 'm2']) await romeo.deliver(hello(id), { bounceWait: 0 });
      assert.deepEqual(received, ['message juliet@localhost', 'r', 'message juliet@localhost', 'r']);
    });
  });

  test('confirms what it has handled, one too large for it included, but no stanza before acks were on', async () => {
    const { promise: confirmed, resolve } = Promise.withResolvers<string | undefined>();
    const large = `<message from='juliet@localhost/x' type='headline'>${'<e/>'.repeat(50_001)}</message>`;
    const iq = "<iq from='juliet@localhost/x' type='result' id='unknown'/>";
    const script: ServerScript = async (client) => {
      await client.acceptPlainLogin('romeo@localhost/x', `<sm xmlns='${SM}'/>`);
      await client.nextElement();
      client.write(`${iq}<enabled xmlns='${SM}'/>${large}${iq}<a xmlns='${SM}' h='0'/><r xmlns='${SM}'/>`);
      resolve((await client.nextElement()).attrs.h);
    };
    await withServer(script, async (accounts) => {
      await accounts.senderFor(LOGIN);
      assert.equal(await confirmed, '2');
    });
  });

  test('uses pings if the server refuses to turn on acks', async () => {
    const script: ServerScript = async (client) => {
      await client.acceptPlainLogin('romeo@localhost/x', `<sm xmlns='${SM}'/>`);
      await client.nextElement();
      client.write(`<failed xmlns='${SM}'/>`);
      for (;;) {
        const { attrs, name } = await client.nextElement();
        if (name === 'iq') client.write(`<iq type='result' id='${attrs.id}'/>`);
      }
    };
    await withServer(script, async (accounts) => {
      await (await accounts.senderFor(LOGIN)).deliver(hello('m1'), { bounceWait: 0 });
    });
  });

  test('knows which messages of a broken stream the server has taken, and does not send the others again', async () => {
    const received: (string | undefined)[] = [];
    const script = withAcks((client, { name, attrs }) => {
      if (name === 'message') received.push(attrs.id);
      else client.write(`<a xmlns='${SM}' h='2'/></stream:stream>`);
    });
    await withServer(script, async (accounts) => {
      const romeo = await accounts.senderFor(LOGIN);
      const ids = ['m1', 'm2', 'm3'];
      const outcomes = await Promise.allSettled(ids.map((id) => romeo.deliver(hello(id), { bounceWait: 0 })));
      assert.deepEqual(
        outcomes.map((one) => (one.status === 'rejected' ? one.reason.code : 'sent')),
        ['sent', 'sent', 'no_answer'],
      );
      await accounts.senderFor(LOGIN);
      assert.deepEqual(received, ids);
    });
  });

  test('is dropped if the server confirms more than was sent', async () => {
    const script = withAcks((client) => client.write(`<a xmlns='${SM}' h='9'/>`));
    await withServer(script, async (accounts) => {
      const romeo = await accounts.senderFor(LOGIN);
      assert.equal((await expectRefusal(romeo.deliver(hello('m1'), { bounceWait: 0 }))).code, 'no_answer');
      await waitUntil(() => accounts.openSessions === 0);
    });
  });

  test('sends no presence and no from attribute', async () => {
    const received: string[] = [];
    await withServer(acceptAndRecord(received), async (accounts) => {
      const romeo = await accounts.senderFor(LOGIN);
      await romeo.deliver(chatMessage('juliet@localhost', 'hello', { id: 'm1' }), { bounceWait: 0 });
      assert.deepEqual(received, [
        '<message to="juliet@localhost" type="chat" id="m1"><body>hello</body></message>',
      ]);
    });
  });

  test('refuses a stanza above the size that the server has announced, without writing it', async () => {
    const received: string[] = [];
    const script: ServerScript = async (client) => {
      const limits = "<limits xmlns='urn:xmpp:stream-limits:0'><max-bytes>12000</max-bytes></limits>";
      await client.acceptPlainLogin('romeo@localhost/x', limits);
      for (;;) {
        const stanza = await client.nextElement();
        if (stanza.getChild('ping')) client.write(`<iq type='result' id='${stanza.attrs.id}'/>`);
        else received.push(stanza.attrs.id ?? '');
      }
    };
    await withServer(script, async (accounts) => {
      const romeo = await accounts.senderFor(LOGIN);
      const deliver = (id: string, length: number) =>
        romeo.deliver(chatMessage('juliet@localhost', 'ä'.repeat(length), { id }), { bounceWait: 0 });
      const refusal = await expectRefusal(deliver('large', 6_000));
      assert.equal(refusal.code, 'message_too_large');
      assert.match(refusal.message, /takes at most .*\(12000 bytes\)/);
      await deliver('fits', 5_900);
      assert.deepEqual(received, ['fits']);
    });
  });

  test('answers personal messages with an error, and error messages not at all', async () => {
    const received: string[] = [];
    const from = "from='juliet@localhost/balcony' to='romeo@localhost/x'";
    const script = acceptAndRecord(received, (client) => {
      client.write(`<message ${from} type='error' id='e'><body>hello</body></message>`);
      client.write(`<message ${from} type='chat' id='m'><body>hello</body></message>`);
    });
    await withServer(script, async (accounts) => {
      await accounts.senderFor(LOGIN);
      await waitUntil(() => received.length > 0);
      assert.equal(received.length, 1);
      assert.match(received[0] ?? '', /id="m".*service-unavailable.*does not read replies/);
    });
  });

  test('is opened again after the server has ended it', async () => {
    const clients: FakeC2sConnection[] = [];
    const script = (client: FakeC2sConnection) => {
      clients.push(client);
      return acceptAndRecord([])(client);
    };
    await withServer(script, async (accounts) => {
      const romeo = await accounts.senderFor(LOGIN);
      await accounts.senderFor(LOGIN);
      assert.equal(clients.length, 1);
      clients[0]?.write('</stream:stream>');
      await waitUntil(() => accounts.openSessions === 0);
      assert.equal(
        (await expectRefusal(romeo.sendStanza(chatMessage('juliet@localhost', 'x')))).code,
        'unavailable',
      );
      await (await accounts.senderFor(LOGIN)).sendStanza(chatMessage('juliet@localhost', 'x'));
      assert.equal(clients.length, 2);
    });
  });

  test('is dropped if the server is silent, and written stanzas are refused with no_answer', async () => {
    await withServer(
      (client) => client.acceptPlainLogin(),
      async (accounts) => {
        const romeo = await accounts.senderFor(LOGIN);
        const response = expectRefusal(romeo.sendIq(xml('iq', { type: 'get' }, xml('query', 'a:b')), 60_000));
        assert.equal(
          (await expectRefusal(romeo.sendStanza(chatMessage('juliet@localhost', 'x')))).code,
          'no_answer',
        );
        assert.equal((await response).code, 'no_answer');
        await waitUntil(() => accounts.openSessions === 0);
      },
      { answerTimeout: 1_000 },
    );
  });

  test('is closed after the idle time', async () => {
    await withServer(
      acceptAndRecord([]),
      async (accounts) => {
        await accounts.senderFor(LOGIN);
        assert.equal(accounts.openSessions, 1);
        await waitUntil(() => accounts.openSessions === 0);
      },
      { sessions: { max: 5, idle: 1_000 } },
    );
  });

  /** Accepts the password of `LOGIN`, once `arrived` returns. Counts the logins and binds the resource of each. */
  const checkPassword =
    (logins: string[], arrived: () => Promise<void>): ServerScript =>
    async (client) => {
      await client.openStream(features(mechanisms('PLAIN')));
      const [, , password] = Buffer.from((await client.nextElement()).getText(), 'base64')
        .toString()
        .split('\0');
      logins.push(password ?? '');
      await arrived();
      if (password !== LOGIN.password) return client.write(sasl('failure', '<not-authorized/>'));
      client.write(sasl('success'));
      await client.openStream(features(BIND));
      const bind = await client.nextElement();
      const resource = bind.getChild('bind')?.getChild('resource')?.getText() ?? 'x';
      const jid = `<jid>romeo@localhost/${resource}</jid>`;
      client.write(`<iq type='result' id='${bind.attrs.id}'>${BIND.replace('/>', `>${jid}</bind>`)}</iq>`);
      for (;;) {
        const stanza = await client.nextElement();
        if (stanza.getChild('ping')) client.write(`<iq type='result' id='${stanza.attrs.id}'/>`);
      }
    };

  test('is not shared by two logins at the same moment with different passwords', async () => {
    const logins: string[] = [];
    const bothArrived = () => waitUntil(() => logins.length === 2);
    await withServer(checkPassword(logins, bothArrived), async (accounts) => {
      const right = accounts.senderFor(LOGIN);
      const wrong = expectRefusal(accounts.senderFor({ ...LOGIN, password: 'guess' }));
      assert.equal(
        await Promise.race([wrong.then(({ code }) => code), right.then(() => wrong)]),
        'credentials_wrong',
      );
      assert.match((await right).jid, /^romeo@localhost\//);
      assert.deepEqual(logins.toSorted(), ['guess', 'secret']);
    });
  });

  test('is shared by logins at the same moment with the same password', async () => {
    const logins: string[] = [];
    await withServer(
      checkPassword(logins, async () => {}),
      async (accounts) => {
        await Promise.all(Array.from({ length: 5 }, () => accounts.senderFor(LOGIN)));
        assert.deepEqual(logins, ['secret']);
      },
    );
  });

  test('is separate for each resource of the account', async () => {
    const logins: string[] = [];
    await withServer(
      checkPassword(logins, async () => {}),
      async (accounts) => {
        for (const resource of ['garden', 'balcony', 'garden']) {
          const jid = `romeo@localhost/${resource}`;
          assert.equal((await accounts.senderFor({ ...LOGIN, jid })).jid, jid);
        }
        assert.equal(logins.length, 2);
      },
    );
  });

  test('is shared only with the same password; another password is checked by the server', async () => {
    let logins = 0;
    const script: ServerScript = async (client) => {
      logins += 1;
      if (logins === 1) return acceptAndRecord([])(client);
      await client.openStream(features(mechanisms('PLAIN')));
      await client.nextElement();
      client.write(sasl('failure', '<not-authorized/>'));
    };
    await withServer(script, async (accounts) => {
      const { jid } = await accounts.senderFor(LOGIN);
      assert.equal(
        (await expectRefusal(accounts.senderFor({ ...LOGIN, password: 'guess' }))).code,
        'credentials_wrong',
      );
      assert.equal(logins, 2);
      assert.equal((await accounts.senderFor(LOGIN)).jid, jid);
      assert.equal(logins, 2);
    });
  });
});
