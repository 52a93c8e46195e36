import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import xml from '@xmpp/xml';
import { chatMessage, expectRefusal } from '../../support/component-sender.ts';
import { BIND, type FakeC2sConnection, features, mechanisms, sasl } from '../../support/fake-c2s-server.ts';
import { waitUntil } from '../../support/wait-until.ts';
import { LOGIN, type ServerScript, withServer } from './login-testbed.ts';

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
      assert.match(refusal.message, /accepts at most .*\(12000 bytes\)/);
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
