import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import xml from '@xmpp/xml';
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

type Script = (visitor: FakeC2sConnection) => Promise<void>;
const LOGIN = { jid: 'romeo@localhost', password: 'secret', address: '192.0.2.1' };

/** Logs in at a server that keeps to this script. */
async function at(
  script: Script,
  work: (accounts: ReturnType<typeof createAccountSenders>, logged: readonly string[]) => Promise<void>,
  settings: Partial<AccountSettings> = {},
): Promise<void> {
  const server = await FakeC2sServer.listen(script);
  const logged: string[] = [];
  const accounts = createAccountSenders({
    clock: Date.now,
    log: pino({ level: 'debug' }, { write: (line: string) => void logged.push(line) }),
    settings: () =>
      accountSettings(server.port, { requireTls: false, sessions: { max: 5, idle: 60_000 }, ...settings }),
  });
  try {
    await work(accounts, logged);
  } finally {
    await accounts.stop();
    await server.stop();
  }
}

/** What becomes of a login; the password is never in the log. */
async function outcomeAt(script: Script, settings: Partial<AccountSettings> = {}) {
  let code = '';
  let text = '';
  await at(
    script,
    async (accounts, logged) => {
      const refusal = await expectRefusal(accounts.senderFor(LOGIN));
      code = refusal.code;
      text = refusal.message;
      assert.doesNotMatch(logged.join(''), /secret/);
    },
    settings,
  );
  return { code, text };
}

const base64 = (text: string) => Buffer.from(text).toString('base64');
const nonceIn = (first: string) => /r=([^,]+)/.exec(Buffer.from(first, 'base64').toString())?.[1] ?? '';

describe('a login', () => {
  test('tells no password to a server without TLS', async () => {
    let heard = '';
    const script: Script = async (visitor) => {
      await visitor.openStream(features(mechanisms('PLAIN', 'SCRAM-SHA-1')));
      heard += String(await visitor.nextElement());
    };
    const { code, text } = await outcomeAt(script, { requireTls: true });
    assert.equal(code, 'server_refused');
    assert.match(text, /no TLS/);
    assert.equal(heard, '');
  });

  test('believes nothing that was said in the clear behind the start of TLS', async () => {
    const script: Script = async (visitor) => {
      await visitor.openStream(features(starttls));
      await visitor.acceptStartTls(features(mechanisms('PLAIN')));
      await visitor.acceptPlainLogin();
    };
    assert.notEqual((await outcomeAt(script)).code, 'credentials_wrong');
  });

  test('shows nothing to a server whose certificate is not for the domain', async () => {
    const script: Script = async (visitor) => {
      await visitor.openStream(features(starttls));
      await visitor.acceptStartTls();
      await visitor.acceptPlainLogin();
    };
    const { code, text } = await outcomeAt(script, { requireTls: true });
    assert.equal(code, 'server_refused');
    assert.match(text, /certificate/);
    await at(script, async (accounts) => {
      assert.equal((await accounts.senderFor(LOGIN)).jid, 'romeo@localhost/x');
    });
  });

  test('believes no server that does not know the password itself', async () => {
    const script: Script = async (visitor) => {
      await visitor.openStream(features(mechanisms('SCRAM-SHA-256', 'PLAIN')));
      const auth = await visitor.nextElement();
      assert.equal(auth.attrs.mechanism, 'SCRAM-SHA-256');
      visitor.write(sasl('challenge', base64(`r=${nonceIn(auth.getText())}x,s=${base64('salt')},i=4096`)));
      await visitor.nextElement();
      visitor.write(sasl('success', base64(`v=${base64('a proof of nothing at all')}`)));
    };
    const { code, text } = await outcomeAt(script);
    assert.equal(code, 'server_refused');
    assert.match(text, /not proven/);
  });

  test('does not work for hours because a server says so', async () => {
    const script: Script = async (visitor) => {
      await visitor.openStream(features(mechanisms('SCRAM-SHA-1')));
      const auth = await visitor.nextElement();
      visitor.write(
        sasl('challenge', base64(`r=${nonceIn(auth.getText())}x,s=${base64('salt')},i=2000000000`)),
      );
    };
    const { code, text } = await outcomeAt(script);
    assert.equal(code, 'server_refused');
    assert.match(text, /rounds/);
  });

  const failures = [
    ['not-authorized', 'credentials_wrong'],
    ['account-disabled', 'credentials_wrong'],
    ['temporary-auth-failure', 'unavailable'],
    ['mechanism-too-weak', 'server_refused'],
  ] as const;
  for (const [condition, code] of failures) {
    test(`that fails with ${condition} is ${code}`, async () => {
      const script: Script = async (visitor) => {
        await visitor.openStream(features(mechanisms('PLAIN')));
        await visitor.nextElement();
        visitor.write(sasl('failure', `<${condition}/>`));
      };
      assert.equal((await outcomeAt(script)).code, code);
    });
  }

  test('where nothing is offered that we know says what is', async () => {
    const script: Script = (visitor) => visitor.openStream(features(mechanisms('GSSAPI')));
    const { code, text } = await outcomeAt(script);
    assert.equal(code, 'server_refused');
    assert.match(text, /GSSAPI/);
  });

  test('where the server refuses the resource says so', async () => {
    const script: Script = async (visitor) => {
      await visitor.openStream(features(mechanisms('PLAIN')));
      await visitor.nextElement();
      visitor.write(sasl('success'));
      await visitor.openStream(features(BIND));
      const { attrs } = await visitor.nextElement();
      visitor.write(
        `<iq type='error' id='${attrs.id}'><error type='wait'><resource-constraint/></error></iq>`,
      );
    };
    const { code, text } = await outcomeAt(script);
    assert.equal(code, 'server_refused');
    assert.match(text, /resource-constraint/);
  });

  test('at a server that says nothing ends in time', async () => {
    assert.equal((await outcomeAt(async () => undefined, { answerTimeout: 200 })).code, 'no_answer');
  });

  test('at a server that speaks without end, or not XML at all, ends', async () => {
    const endless: Script = async (visitor) => {
      await visitor.openStream('<stream:features>', 'x'.repeat(100_000));
    };
    assert.equal((await outcomeAt(endless)).code, 'unavailable');
    const nonsense: Script = async (visitor) => visitor.write('HTTP/1.1 400 Bad Request\r\n\r\n</a>');
    assert.equal((await outcomeAt(nonsense)).code, 'unavailable');
  });

  test('at a server that nobody started is unavailable', async () => {
    await at(
      async () => undefined,
      async (accounts) => {
        assert.equal((await expectRefusal(accounts.senderFor(LOGIN))).code, 'unavailable');
      },
      { server: { host: '127.0.0.1', port: 1 } },
    );
  });

  test('at a domain of this machine is refused until the admin names its server', async () => {
    const { code, text } = await outcomeAt(async () => undefined, { server: null });
    assert.equal(code, 'server_refused');
    assert.match(text, /messages\.server/);
  });

  test('is slowed after some wrong passwords, and says until when', async () => {
    const script: Script = async (visitor) => {
      await visitor.openStream(features(mechanisms('PLAIN')));
      await visitor.nextElement();
      visitor.write(sasl('failure', '<not-authorized/>'));
    };
    await at(script, async (accounts) => {
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

  test('is for the accounts only that the admin lets in', async () => {
    const mayLogIn = (account: string) => account.endsWith('@example.org');
    assert.equal(
      (await outcomeAt((visitor) => visitor.acceptPlainLogin(), { mayLogIn })).code,
      'credentials_wrong',
    );
  });
});

describe('a session', () => {
  /** Lets it in, and then answers every ping, and says what it heard else. */
  function polite(heard: string[], more: (visitor: FakeC2sConnection) => void = () => undefined): Script {
    return async (visitor) => {
      await visitor.acceptPlainLogin();
      more(visitor);
      for (;;) {
        const stanza = await visitor.nextElement();
        if (stanza.getChild('ping')) visitor.write(`<iq type='result' id='${stanza.attrs.id}'/>`);
        else heard.push(String(stanza));
      }
    };
  }

  test('sends no presence, and says nothing of whom its messages are from', async () => {
    const heard: string[] = [];
    await at(polite(heard), async (accounts) => {
      const romeo = await accounts.senderFor(LOGIN);
      await romeo.deliver(chatMessage('juliet@localhost', 'hello', { id: 'm1' }), { bounceWait: 0 });
      assert.deepEqual(heard, [
        '<message to="juliet@localhost" type="chat" id="m1"><body>hello</body></message>',
      ]);
    });
  });

  test('tells who writes to it that nobody reads there, and is silent to errors', async () => {
    const heard: string[] = [];
    const from = "from='juliet@localhost/balcony' to='romeo@localhost/x'";
    const script = polite(heard, (visitor) => {
      visitor.write(`<message ${from} type='error' id='e'><body>hello</body></message>`);
      visitor.write(`<message ${from} type='chat' id='m'><body>hello</body></message>`);
    });
    await at(script, async (accounts) => {
      await accounts.senderFor(LOGIN);
      await waitUntil(() => heard.length > 0);
      assert.equal(heard.length, 1);
      assert.match(heard[0] ?? '', /id="m".*service-unavailable.*reads no answers/);
    });
  });

  test('that the server ended is opened anew', async () => {
    const visitors: FakeC2sConnection[] = [];
    const script = (visitor: FakeC2sConnection) => {
      visitors.push(visitor);
      return polite([])(visitor);
    };
    await at(script, async (accounts) => {
      const romeo = await accounts.senderFor(LOGIN);
      await accounts.senderFor(LOGIN);
      assert.equal(visitors.length, 1);
      visitors[0]?.write('</stream:stream>');
      await waitUntil(() => accounts.openSessions === 0);
      assert.equal(
        (await expectRefusal(romeo.sendStanza(chatMessage('juliet@localhost', 'x')))).code,
        'unavailable',
      );
      await (await accounts.senderFor(LOGIN)).sendStanza(chatMessage('juliet@localhost', 'x'));
      assert.equal(visitors.length, 2);
    });
  });

  test('that falls silent is given up, and what was written has no answer', async () => {
    await at(
      (visitor) => visitor.acceptPlainLogin(),
      async (accounts) => {
        const romeo = await accounts.senderFor(LOGIN);
        const asking = expectRefusal(romeo.sendIq(xml('iq', { type: 'get' }, xml('query', 'a:b')), 60_000));
        assert.equal(
          (await expectRefusal(romeo.sendStanza(chatMessage('juliet@localhost', 'x')))).code,
          'no_answer',
        );
        assert.equal((await asking).code, 'no_answer');
        await waitUntil(() => accounts.openSessions === 0);
      },
      { answerTimeout: 1_000 },
    );
  });

  test('is closed when nobody uses it for a while', async () => {
    await at(
      polite([]),
      async (accounts) => {
        await accounts.senderFor(LOGIN);
        assert.equal(accounts.openSessions, 1);
        await waitUntil(() => accounts.openSessions === 0);
      },
      { sessions: { max: 5, idle: 1_000 } },
    );
  });

  test('is opened by its password only: another one is tried at the server', async () => {
    let logins = 0;
    const script: Script = async (visitor) => {
      logins += 1;
      if (logins === 1) return polite([])(visitor);
      await visitor.openStream(features(mechanisms('PLAIN')));
      await visitor.nextElement();
      visitor.write(sasl('failure', '<not-authorized/>'));
    };
    await at(script, async (accounts) => {
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
