import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { pino } from 'pino';
import { createAccountSenders } from '../../../src/xmpp/client/account-senders.ts';
import { expectRefusal } from '../../support/component-sender.ts';
import { needs, type PeerName } from '../peers/peers.ts';
import type { XmppServer, XmppServerOptions } from '../peers/xmpp-server.ts';
import { freePort } from '../support/ports.ts';
import { createXmppTestbed } from '../support/xmpp-testbed.ts';

/** Starts and configures one kind of XMPP server. */
export interface LoginServerKind {
  readonly name: PeerName;
  /** SASL mechanisms besides those that every server has. */
  readonly otherMechanisms?: readonly string[];
  start(
    options: XmppServerOptions & {
      /** The port for direct TLS (XEP-0368). */
      readonly directPort: number;
      /** SASL mechanisms that the server does not offer. */
      readonly disabled?: readonly string[];
    },
  ): Promise<XmppServer>;
}

/** SASL mechanisms that a server may offer. */
const ALL = [
  'PLAIN',
  'SCRAM-SHA-1',
  'SCRAM-SHA-1-PLUS',
  'SCRAM-SHA-256',
  'SCRAM-SHA-256-PLUS',
  'SCRAM-SHA-512',
  'SCRAM-SHA-512-PLUS',
  'DIGEST-MD5',
  'X-OAUTH2',
  'OAUTHBEARER',
  'EXTERNAL',
];

/** Tests a login at a server that offers only one SASL mechanism, for each that Porter supports. */
export function testMechanisms(kind: LoginServerKind): void {
  for (const mechanism of [...(kind.otherMechanisms ?? []), 'SCRAM-SHA-256', 'SCRAM-SHA-1', 'PLAIN']) {
    describe(`${kind.name} that only offers ${mechanism}`, { skip: needs(kind.name) }, () => {
      test('accepts logins with the password', async () => {
        const testbed = await createXmppTestbed();
        const disabled = ALL.filter((other) => other !== mechanism);
        const server = await kind.start({ tls: testbed.certificate, directPort: await freePort(), disabled });
        const accounts = createAccountSenders({
          clock: Date.now,
          log: pino({ level: 'silent' }),
          settings: () => ({
            server: { host: '127.0.0.1', port: server.clientPort },
            directTls: false,
            requireTls: false,
            answerTimeout: 30_000,
            roomIdle: 60_000,
            mayLogIn: () => true,
            sessions: { max: 5, idle: 60_000 },
          }),
        });
        try {
          const password = 'p\u00ad\u00e4ss w\u00f6rd, =\u2168';
          await server.register('romeo', password.normalize('NFKC').replace('\u00ad', ''));
          const login = { jid: 'romeo@localhost', password, address: '192.0.2.1' };
          if (mechanism === 'PLAIN') login.password = password.normalize('NFKC').replace('\u00ad', '');
          assert.match((await accounts.senderFor(login)).jid, /^romeo@localhost\//);
          const refusal = await expectRefusal(accounts.senderFor({ ...login, password: 'wrong' }));
          assert.equal(refusal.code, 'credentials_wrong');
        } finally {
          await accounts.stop();
          await server.stop();
          await testbed.remove();
        }
      });
    });
  }
}
