import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { getCACertificates, setDefaultCACertificates } from 'node:tls';
import xml from '@xmpp/xml';
import { pino } from 'pino';
import type { Refusal } from '../../../src/base/errors.ts';
import type { MessageSender } from '../../../src/messages/delivery/message-sender.ts';
import { allowAllRule } from '../../../src/policy/access.ts';
import {
  type AccountSenders,
  type AccountSettings,
  createAccountSenders,
} from '../../../src/xmpp/client/account-senders.ts';
import { logIn } from '../../../src/xmpp/client/login.ts';
import { createSystemDnsResolver } from '../../../src/xmpp/client/server-addresses.ts';
import { createComponentSenders } from '../../../src/xmpp/component/component-senders.ts';
import { type Components, startComponents } from '../../../src/xmpp/component/components.ts';
import { accountSettings } from '../../support/account-settings.ts';
import { expectRefusal } from '../../support/component-sender.ts';
import { createGrantingServices, uploadRules } from '../../support/granting-services.ts';
import { waitUntil } from '../../support/wait-until.ts';
import { needs } from '../peers/peers.ts';
import type { SlixmppClient } from '../peers/slixmpp.ts';
import type { XmppServer } from '../peers/xmpp-server.ts';
import { startCuttableProxy } from '../support/cuttable-proxy.ts';
import { freePort } from '../support/ports.ts';
import { createXmppTestbed, PASSWORD, type XmppTestbed } from '../support/xmpp-testbed.ts';
import { createRoom } from './create-room.ts';
import { type LoginServerKind, testMechanisms } from './mechanisms-suite.ts';

const COMPONENT = 'upload.localhost';
const ALERTS = `alerts@${COMPONENT}`;
const SECRET = 'a secret of twenty characters';
/** Bytes. The servers end the stream of a sender that exceeds it. */
const STANZA_LIMIT = 200_000;
const AT_ONCE = { bounceWait: 0 };
const LISTENING = { bounceWait: 5_000 };
/** An hour: a test that waited for the end of it would fail. */
const UNTIL_TAKEN = { bounceWait: 3_600_000 };

/** An XMPP server with rooms. */
export interface SenderServerKind extends LoginServerKind {
  readonly rooms: string;
}

interface Received {
  readonly from: string;
  readonly body: string;
}

const chatMessage = (to: string, body: string, type = 'chat') =>
  xml('message', { to, type }, xml('body', {}, body));

/** Tests message senders with an XMPP server. */
export function testMessageSenders(kind: SenderServerKind): void {
  describe(`Message senders at ${kind.name}`, { skip: needs(kind.name, 'slixmpp') }, () => {
    let testbed: XmppTestbed;
    let server: XmppServer;
    let directPort: number;
    let juliet: SlixmppClient;
    let accounts: AccountSenders;
    let components: Components;
    let alerts: MessageSender;
    const authorities = getCACertificates('default');

    const accountsWith = (settings: Partial<AccountSettings> = {}) =>
      createAccountSenders({
        clock: Date.now,
        log: pino({ level: 'silent' }),
        settings: () => accountSettings(server.clientPort, settings),
      });
    const login = (user: string, password = PASSWORD) => ({
      jid: `${user}@localhost`,
      password,
      address: '192.0.2.1',
    });
    const room = (name: string) => `${name}@${kind.rooms}`;

    /** Runs `work` with a separate account pool and stops the pool afterwards. */
    async function withAccounts<T>(
      settings: Partial<AccountSettings>,
      work: (accounts: AccountSenders) => Promise<T>,
    ): Promise<T> {
      const others = accountsWith(settings);
      try {
        return await work(others);
      } finally {
        await others.stop();
      }
    }

    before(async () => {
      testbed = await createXmppTestbed();
      directPort = await freePort();
      const entries = [{ jid: COMPONENT, secret: SECRET }];
      server = await kind.start({
        tls: testbed.certificate,
        components: entries,
        directPort,
        stanzaLimit: STANZA_LIMIT,
      });
      for (const user of ['romeo', 'juliet', 'mercutio']) await server.register(user, PASSWORD);
      juliet = await testbed.login(server, 'juliet');
      setDefaultCACertificates([...authorities, testbed.ca]);
      accounts = accountsWith();
      const times = { answerTimeout: () => 30_000, roomIdle: () => 60_000 };
      const componentSenders = createComponentSenders(times, [COMPONENT]);
      const { deps } = createGrantingServices(uploadRules([allowAllRule]));
      const bases = { putBase: 'https://localhost', getBase: 'https://localhost' };
      const at = { host: '127.0.0.1', port: server.componentPort };
      components = startComponents({ ...deps, log: pino({ level: 'silent' }), componentSenders }, [
        { jid: COMPONENT, secret: SECRET, server: at, name: 'HTTP File Upload', linkBasesFor: () => bases },
      ]);
      alerts = componentSenders.senderFor(ALERTS);
      await waitUntil(() => components.status()[0]?.up === true);
    });
    after(async () => {
      setDefaultCACertificates(authorities);
      await accounts?.stop();
      await components?.stop();
      await juliet?.logout();
      await server?.stop();
      await testbed?.remove();
    });

    const heard = () => juliet.run<Received>('receive');

    describe('an account', () => {
      test('logs in after STARTTLS and sends a message', async () => {
        const romeo = await accounts.senderFor(login('romeo'));
        assert.match(romeo.jid, /^romeo@localhost\/porter-/);
        await romeo.deliver(chatMessage('juliet@localhost', 'Grüße 🌹 & <more>'), AT_ONCE);
        const { from, body } = await heard();
        assert.deepEqual([from, body], ['romeo@localhost', 'Grüße 🌹 & <more>']);
      });

      test('logs in over direct TLS', async () => {
        const direct = { server: { host: '127.0.0.1', port: directPort }, directTls: true };
        await withAccounts(direct, async (others) => {
          const romeo = await others.senderFor(login('romeo'));
          await romeo.deliver(chatMessage('juliet@localhost', 'direct'), AT_ONCE);
          assert.equal((await heard()).body, 'direct');
        });
      });

      test('logs in only with its password, and keeps its session after an attempt with a wrong one', async () => {
        await withAccounts({}, async (others) => {
          const romeo = await others.senderFor(login('romeo'));
          const refusal = await expectRefusal(others.senderFor(login('romeo', 'wrong')));
          assert.equal(refusal.code, 'credentials_wrong');
          assert.equal((await expectRefusal(others.senderFor(login('unknown')))).code, 'credentials_wrong');
          assert.equal((await others.senderFor(login('romeo'))).jid, romeo.jid);
          assert.equal(others.openSessions, 1);
        });
      });

      test('logs in once for concurrent requests', async () => {
        await withAccounts({}, async (others) => {
          const senders = await Promise.all(
            Array.from({ length: 20 }, () => others.senderFor(login('romeo'))),
          );
          assert.equal(new Set(senders.map(({ jid }) => jid)).size, 1);
        });
      });

      test('gets acks (XEP-0198), also for stanzas with an invalid address', async () => {
        const dns = createSystemDnsResolver();
        const jid = { local: 'romeo', domain: 'localhost', resource: '' };
        const bound = await logIn(dns, accountSettings(server.clientPort), jid, PASSWORD);
        assert.equal(bound.hasAcks, true);
        await bound.stream.close();
        await withAccounts({}, async (others) => {
          const romeo = await others.senderFor(login('romeo'));
          for (const to of ['@', 'a b@localhost', '@localhost/x', `${'x'.repeat(1_100)}@localhost`]) {
            await romeo.sendStanza(chatMessage(to, 'nowhere'));
            await romeo.sendStanza(xml('presence', { to, type: 'subscribe' }));
            await romeo.sendStanza(xml('iq', { to, type: 'get', id: 'x' }, xml('query', 'a:b')));
          }
          await romeo.sendStanza(xml('iq', { type: 'strange' }));
          assert.equal(others.openSessions, 1);
        });
      });

      test('whose connection breaks knows which messages the server has taken, and sends none twice', async () => {
        const proxy = await startCuttableProxy(server.clientPort);
        try {
          await withAccounts({ server: { host: '127.0.0.1', port: proxy.port } }, async (others) => {
            const romeo = await others.senderFor(login('romeo'));
            const bodies = Array.from({ length: 600 }, (_, n) => `broken ${n} ${'x'.repeat(99)}`);
            proxy.cutAfter(70_000);
            const outcomes = await Promise.all(
              bodies.map((body) =>
                romeo.deliver(chatMessage('juliet@localhost', body), AT_ONCE).then(
                  () => 'sent',
                  ({ code }: Refusal) => code as string,
                ),
              ),
            );
            assert.deepEqual([...new Set(outcomes)].sort(), ['no_answer', 'sent', 'unavailable']);
            await (await others.senderFor(login('romeo'))).deliver(
              chatMessage('juliet@localhost', 'end'),
              UNTIL_TAKEN,
            );
            const arrived: string[] = [];
            for (let body = ''; body !== 'end'; arrived.push(body)) ({ body } = await heard());
            arrived.pop();
            const expected = bodies.slice(0, arrived.length);
            assert.deepEqual(arrived, expected);
            for (const [n, outcome] of outcomes.entries()) {
              if (outcome === 'sent') assert.ok(n < arrived.length, `message ${n} was lost`);
              if (outcome === 'unavailable') assert.ok(n >= arrived.length, `message ${n} was sent`);
            }
          });
        } finally {
          await proxy.close();
        }
      });

      test('gets the requested resource', async () => {
        await withAccounts({}, async (others) => {
          const romeo = await others.senderFor({ ...login('romeo'), jid: 'romeo@localhost/garden' });
          assert.equal(romeo.jid, 'romeo@localhost/garden');
        });
      });

      test('does not send its password to a server with an untrusted certificate', async () => {
        setDefaultCACertificates(authorities);
        try {
          const refusal = await withAccounts({}, (others) => expectRefusal(others.senderFor(login('romeo'))));
          assert.equal(refusal.code, 'server_refused');
          assert.match(refusal.message, /certificate/);
          // With require_tls: false the admin trusts a server on the same machine.
          await withAccounts({ requireTls: false }, (others) => others.senderFor(login('romeo')));
        } finally {
          setDefaultCACertificates([...authorities, testbed.ca]);
        }
      });

      test('of a domain that the server does not host is refused', async () => {
        const elsewhere = { ...login('romeo'), jid: 'romeo@elsewhere.example' };
        const refusal = await withAccounts({ requireTls: false }, (others) =>
          expectRefusal(others.senderFor(elsewhere)),
        );
        assert.equal(refusal.code, 'credentials_wrong');
      });

      test('that was used least recently is logged out for another one', async () => {
        await withAccounts({ sessions: { max: 1, idle: 60_000 } }, async (others) => {
          const romeo = await others.senderFor(login('romeo'));
          await romeo.deliver(chatMessage('juliet@localhost', 'one'), AT_ONCE);
          await others.senderFor(login('mercutio'));
          assert.equal(others.openSessions, 1);
          assert.equal(
            (await expectRefusal(romeo.sendStanza(chatMessage('juliet@localhost', 'two')))).code,
            'unavailable',
          );
          await heard();
        });
      });

      test('answers requests of other clients', async () => {
        const romeo = await accounts.senderFor(login('romeo'));
        const { seconds } = await juliet.run<{ seconds: number }>('ping', { jid: romeo.jid });
        assert.ok(seconds >= 0);
        const answer = await juliet.run('raw', {
          jid: romeo.jid,
          xml: "<query xmlns='urn:example:strange'/>",
        });
        assert.equal(answer.error.condition, 'service-unavailable');
      });
    });

    for (const [who, sender] of [
      ['an account', () => accounts.senderFor(login('romeo'))],
      ['an address at the component', async () => alerts],
    ] as const) {
      describe(`a message from ${who}`, () => {
        test('to an unknown user bounces', async () => {
          const refusal = await expectRefusal(
            (await sender()).deliver(chatMessage('unknown@localhost', 'hello'), LISTENING),
          );
          assert.deepEqual([refusal.code, refusal.condition], ['bounced', 'service-unavailable']);
        });

        test('above the limit of the server is refused as too large, and the next one arrives', async () => {
          const message = chatMessage('juliet@localhost', 'x'.repeat(STANZA_LIMIT + 1_000));
          const isUp = () => components.status()[0]?.up === true;
          let { code } = await expectRefusal((await sender()).deliver(message, LISTENING));
          // The stream error is lost if the server closes the socket before it has read everything.
          while (code === 'no_answer' || code === 'unavailable') {
            await waitUntil(isUp);
            ({ code } = await expectRefusal((await sender()).deliver(message, LISTENING)));
          }
          assert.equal(code, 'message_too_large');
          await waitUntil(isUp);
          await (await sender()).deliver(chatMessage('juliet@localhost', `${who} again`), AT_ONCE);
          assert.equal((await heard()).body, `${who} again`);
        });

        test('to unknown users bounces each time, before the ping behind it is answered', async () => {
          const from = await sender();
          const deliver = (n: number) =>
            expectRefusal(from.deliver(chatMessage(`unknown${n % 7}@localhost`, 'hello'), UNTIL_TAKEN));
          for (let n = 0; n < 50; n += 1) assert.equal((await deliver(n)).code, 'bounced');
          for (const { code } of await Promise.all(Array.from({ length: 100 }, (_, n) => deliver(n)))) {
            assert.equal(code, 'bounced');
          }
        });

        test('is sent as soon as the server has taken it, long before the wait ends', async () => {
          const from = await sender();
          const bodies = Array.from({ length: 40 }, (_, n) => `${who} taken ${n}`);
          for (const body of bodies) await from.deliver(chatMessage('juliet@localhost', body), UNTIL_TAKEN);
          for (const body of bodies) assert.equal((await heard()).body, body);
        });

        test('to an unknown server bounces', async () => {
          const to = 'unknown@elsewhere.invalid';
          const refusal = await expectRefusal((await sender()).deliver(chatMessage(to, 'hello'), LISTENING));
          assert.equal(refusal.code, 'bounced');
        });

        test('arrives in order, two hundred times', async () => {
          const romeo = await sender();
          const bodies = Array.from({ length: 200 }, (_, n) => `${who} ${n}`);
          const all = bodies.map((body) => romeo.deliver(chatMessage('juliet@localhost', body), AT_ONCE));
          await Promise.all(all);
          const seen: string[] = [];
          for (const _ of bodies) seen.push((await heard()).body);
          assert.deepEqual(seen, bodies);
        });

        test('with characters that XML forbids arrives with replacements, and so do those after it', async () => {
          const romeo = await sender();
          await romeo.deliver(chatMessage('juliet@localhost', 'a\0b\u001b[31mc\ud800d\uffffe'), AT_ONCE);
          await romeo.deliver(chatMessage('juliet@localhost', 'next'), AT_ONCE);
          assert.equal((await heard()).body, 'a\ufffdb\ufffd[31mc\ufffdd\ufffde');
          assert.equal((await heard()).body, 'next');
        });

        test('to a room is sent once the room has reflected it', async () => {
          await makeRoom(room('open'), {});
          await (await sender()).deliver(chatMessage(room('open'), 'hello', 'groupchat'), {
            ...AT_ONCE,
            room: {},
          });
        });

        test('to an unknown room bounces, and creates no room', async () => {
          const romeo = await sender();
          const outcome = await say(romeo, room('nowhere'));
          assert.equal(outcome.condition, 'item-not-found');
          assert.equal((await say(romeo, room('nowhere'))).condition, 'item-not-found');
        });

        test('to a members-only room bounces', async () => {
          await makeRoom(room('members'), { 'muc#roomconfig_membersonly': '1' });
          assert.equal((await say(await sender(), room('members'))).condition, 'registration-required');
        });

        test('to a room with a password requires the password', async () => {
          const secret = {
            'muc#roomconfig_passwordprotectedroom': '1',
            'muc#roomconfig_roomsecret': 'sesame',
          };
          await makeRoom(room('secret'), secret);
          const romeo = await sender();
          assert.equal((await say(romeo, room('secret'))).condition, 'not-authorized');
          assert.equal((await say(romeo, room('secret'), 'wrong')).condition, 'not-authorized');
          const entry = { ...AT_ONCE, room: { password: 'sesame' } };
          await romeo.deliver(chatMessage(room('secret'), 'hello', 'groupchat'), entry);
        });

        test('to a room where it may not speak bounces', async () => {
          await makeRoom(room('silent'), { 'muc#roomconfig_moderatedroom': '1', members_by_default: '0' });
          const refusal = await say(await sender(), room('silent'));
          assert.equal(refusal.condition, 'forbidden');
          assert.match(refusal.message, /not allowed to speak/);
        });

        test('under a nickname that is in use gets another one', async () => {
          await makeRoom(room('names'), {});
          const entry = { ...AT_ONCE, room: { nick: 'owner' } };
          await (await sender()).deliver(chatMessage(room('names'), 'hello', 'groupchat'), entry);
        });
      });
    }

    async function say(sender: MessageSender, to: string, password?: string): Promise<Refusal> {
      return expectRefusal(
        sender.deliver(chatMessage(to, 'hello', 'groupchat'), { ...AT_ONCE, room: { password } }),
      );
    }

    /** Creates a room, with Mercutio as its owner, unless it exists. */
    const made = new Set<string>();
    async function makeRoom(jid: string, config: Readonly<Record<string, string>>): Promise<void> {
      if (made.has(jid)) return;
      made.add(jid);
      await createRoom(await accounts.senderFor(login('mercutio')), jid, config);
    }

    describe('when the server is killed', () => {
      test('no delivery hangs, no lost message is reported as sent, and sending works after the restart', async () => {
        const romeo = await accounts.senderFor(login('romeo'));
        const bodies = Array.from({ length: 2000 }, (_, n) => `${n}`);
        const before = Promise.allSettled(
          [romeo, alerts].flatMap((sender) =>
            bodies.map((body) => sender.deliver(chatMessage('unknown@localhost', body, 'headline'), AT_ONCE)),
          ),
        );
        await server.kill();
        const codes = new Set(
          (await before).map((one) => (one.status === 'rejected' ? (one.reason as Refusal).code : 'sent')),
        );
        for (const code of codes) assert.match(code, /^(?:sent|bounced|no_answer|unavailable)$/);
        await waitUntil(() => components.status()[0]?.up === false);
        assert.equal(
          (await expectRefusal(alerts.sendStanza(chatMessage('juliet@localhost', 'x')))).code,
          'unavailable',
        );
        assert.equal((await expectRefusal(accounts.senderFor(login('romeo')))).code, 'unavailable');
        await server.start();
        await waitUntil(() => components.status()[0]?.up === true);
        await (await accounts.senderFor(login('romeo'))).sendStanza(chatMessage('juliet@localhost', 'back'));
        await alerts.sendStanza(chatMessage('juliet@localhost', 'back'));
      });
    });
  });

  testMechanisms(kind);
}
