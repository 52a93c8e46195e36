import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { expectRefusal } from '../../support/component-sender.ts';
import { BIND, features, mechanisms, sasl, starttls } from '../../support/fake-c2s-server.ts';
import {
  base64,
  clientNonce,
  LOGIN,
  loginRefusalAt,
  type ServerScript,
  withServer,
} from './login-testbed.ts';

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
