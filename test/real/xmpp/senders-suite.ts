import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { getCACertificates, setDefaultCACertificates } from 'node:tls';
import xml, { type Element } from '@xmpp/xml';
import { pino } from 'pino';
import type { Refusal } from '../../../src/base/errors.ts';
import type { MessageSender } from '../../../src/messages/delivery/message-sender.ts';
import { allowAllRule } from '../../../src/policy/access.ts';
import {
  type AccountSenders,
  type AccountSettings,
  createAccountSenders,
} from '../../../src/xmpp/client/account-senders.ts';
import { createComponentSenders } from '../../../src/xmpp/component/component-senders.ts';
import { type Components, startComponents } from '../../../src/xmpp/component/components.ts';
import { accountSettings } from '../../support/account-settings.ts';
import { expectRefusal } from '../../support/component-sender.ts';
import { createGrantingServices, uploadRules } from '../../support/granting-services.ts';
import { waitUntil } from '../../support/wait-until.ts';
import { needs, type PeerName } from '../peers/peers.ts';
import type { SlixmppClient } from '../peers/slixmpp.ts';
import type { XmppServer, XmppServerOptions } from '../peers/xmpp-server.ts';
import { freePort } from '../support/ports.ts';
import { createXmppTestbed, PASSWORD, type XmppTestbed } from '../support/xmpp-testbed.ts';

const COMPONENT = 'upload.localhost';
const ALERTS = `alerts@${COMPONENT}`;
const SECRET = 'a secret of twenty characters';
const MUC = 'http://jabber.org/protocol/muc';
const OWNER = `${MUC}#owner`;
const AT_ONCE = { bounceWait: 0 };
const LISTENING = { bounceWait: 5_000 };

/** How one kind of server is told what these tests need. */
export interface SenderServerKind {
  readonly name: PeerName;
  readonly rooms: string;
  start(
    options: XmppServerOptions & {
      /** A port for TLS from the first byte. */
      readonly directPort: number;
      /** Not offered to clients. */
      readonly disabled?: readonly string[];
    },
  ): Promise<XmppServer>;
}

interface Received {
  readonly from: string;
  readonly body: string;
}

const letter = (to: string, body: string, type = 'chat') =>
  xml('message', { to, type }, xml('body', {}, body));

/** Everything that speakers must do at any XMPP server. */
export function testMessageSenders(kind: SenderServerKind): void {
  describe(`speakers at ${kind.name}`, { skip: needs(kind.name, 'slixmpp') }, () => {
    let stage: XmppTestbed;
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

    /** By accounts of another pool that end with the work. */
    async function through<T>(
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
      stage = await createXmppTestbed();
      directPort = await freePort();
      const components_ = [{ jid: COMPONENT, secret: SECRET }];
      server = await kind.start({ tls: stage.certificate, components: components_, directPort });
      for (const user of ['romeo', 'juliet', 'mercutio']) await server.register(user, PASSWORD);
      juliet = await stage.login(server, 'juliet');
      setDefaultCACertificates([...authorities, stage.ca]);
      accounts = accountsWith();
      const times = { answerTimeout: () => 30_000, roomIdle: () => 60_000 };
      const componentSenders = createComponentSenders(times, [COMPONENT]);
      const { deps } = createGrantingServices(uploadRules([allowAllRule]));
      const urls = { publicUrl: 'https://localhost', downloadUrl: 'https://localhost' };
      const at = { host: '127.0.0.1', port: server.componentPort };
      components = startComponents({ ...deps, ...urls, log: pino({ level: 'silent' }), componentSenders }, [
        { jid: COMPONENT, secret: SECRET, server: at, name: 'HTTP File Upload' },
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
      await stage?.remove();
    });

    const heard = () => juliet.run<Received>('receive');

    describe('an account', () => {
      test('logs in behind STARTTLS, and its message arrives', async () => {
        const romeo = await accounts.senderFor(login('romeo'));
        assert.match(romeo.jid, /^romeo@localhost\/porter-/);
        await romeo.deliver(letter('juliet@localhost', 'Grüße 🌹 & <more>'), AT_ONCE);
        const { from, body } = await heard();
        assert.deepEqual([from, body], ['romeo@localhost', 'Grüße 🌹 & <more>']);
      });

      test('logs in over direct TLS', async () => {
        const direct = { server: { host: '127.0.0.1', port: directPort }, directTls: true };
        await through(direct, async (others) => {
          const romeo = await others.senderFor(login('romeo'));
          await romeo.deliver(letter('juliet@localhost', 'direct'), AT_ONCE);
          assert.equal((await heard()).body, 'direct');
        });
      });

      test('is let in by its password only, and keeps its session when somebody tries another one', async () => {
        await through({}, async (others) => {
          const romeo = await others.senderFor(login('romeo'));
          const refusal = await expectRefusal(others.senderFor(login('romeo', 'wrong')));
          assert.equal(refusal.code, 'credentials_wrong');
          assert.equal((await expectRefusal(others.senderFor(login('nobody')))).code, 'credentials_wrong');
          assert.equal((await others.senderFor(login('romeo'))).jid, romeo.jid);
          assert.equal(others.openSessions, 1);
        });
      });

      test('logs in once for all that come at the same time', async () => {
        await through({}, async (others) => {
          const senders = await Promise.all(
            Array.from({ length: 20 }, () => others.senderFor(login('romeo'))),
          );
          assert.equal(new Set(senders.map(({ jid }) => jid)).size, 1);
        });
      });

      test('gets the resource that it asks for', async () => {
        await through({}, async (others) => {
          const romeo = await others.senderFor({ ...login('romeo'), jid: 'romeo@localhost/garden' });
          assert.equal(romeo.jid, 'romeo@localhost/garden');
        });
      });

      test('does not show its password to a server whose certificate nobody vouches for', async () => {
        setDefaultCACertificates(authorities);
        try {
          const refusal = await through({}, (others) => expectRefusal(others.senderFor(login('romeo'))));
          assert.equal(refusal.code, 'server_refused');
          assert.match(refusal.message, /certificate/);
          // On this machine the admin may say that the server is trusted as it is.
          await through({ requireTls: false }, (others) => others.senderFor(login('romeo')));
        } finally {
          setDefaultCACertificates([...authorities, stage.ca]);
        }
      });

      test('of a domain that the server does not have is not known', async () => {
        const elsewhere = { ...login('romeo'), jid: 'romeo@elsewhere.example' };
        const refusal = await through({ requireTls: false }, (others) =>
          expectRefusal(others.senderFor(elsewhere)),
        );
        assert.equal(refusal.code, 'credentials_wrong');
      });

      test('that is not the last one used makes room for another', async () => {
        await through({ sessions: { max: 1, idle: 60_000 } }, async (others) => {
          const romeo = await others.senderFor(login('romeo'));
          await romeo.deliver(letter('juliet@localhost', 'one'), AT_ONCE);
          await others.senderFor(login('mercutio'));
          assert.equal(others.openSessions, 1);
          assert.equal(
            (await expectRefusal(romeo.sendStanza(letter('juliet@localhost', 'two')))).code,
            'unavailable',
          );
          await heard();
        });
      });

      test('is asked by nobody in vain: its session answers', async () => {
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

    for (const [who, speaker] of [
      ['an account', () => accounts.senderFor(login('romeo'))],
      ['an address at the component', async () => alerts],
    ] as const) {
      describe(`a message from ${who}`, () => {
        test('to a user that is not there comes back', async () => {
          const refusal = await expectRefusal(
            (await speaker()).deliver(letter('nobody@localhost', 'hello'), LISTENING),
          );
          assert.deepEqual([refusal.code, refusal.condition], ['bounced', 'service-unavailable']);
        });

        test('to a server that is not there comes back', async () => {
          const to = 'nobody@elsewhere.invalid';
          const refusal = await expectRefusal((await speaker()).deliver(letter(to, 'hello'), LISTENING));
          assert.equal(refusal.code, 'bounced');
        });

        test('arrives behind those before it, two hundred times', async () => {
          const romeo = await speaker();
          const bodies = Array.from({ length: 200 }, (_, n) => `${who} ${n}`);
          const all = bodies.map((body) => romeo.deliver(letter('juliet@localhost', body), AT_ONCE));
          await Promise.all(all);
          const seen: string[] = [];
          for (const _ of bodies) seen.push((await heard()).body);
          assert.deepEqual(seen, bodies);
        });

        test('with characters that XML forbids arrives all the same, and those after it', async () => {
          const romeo = await speaker();
          await romeo.deliver(letter('juliet@localhost', 'a\0b\u001b[31mc\ud800d\uffffe'), AT_ONCE);
          await romeo.deliver(letter('juliet@localhost', 'next'), AT_ONCE);
          assert.equal((await heard()).body, 'a\ufffdb\ufffd[31mc\ufffdd\ufffde');
          assert.equal((await heard()).body, 'next');
        });

        test('to a room is sent when the room has sent it back', async () => {
          await makeRoom(room('open'), {});
          await (await speaker()).deliver(letter(room('open'), 'hello', 'groupchat'), {
            ...AT_ONCE,
            room: {},
          });
        });

        test('to a room that is not there comes back, and makes none', async () => {
          const romeo = await speaker();
          const outcome = await say(romeo, room('nowhere'));
          assert.equal(outcome.condition, 'item-not-found');
          assert.equal((await say(romeo, room('nowhere'))).condition, 'item-not-found');
        });

        test('to a room for members comes back', async () => {
          await makeRoom(room('members'), { 'muc#roomconfig_membersonly': '1' });
          assert.equal((await say(await speaker(), room('members'))).condition, 'registration-required');
        });

        test('to a room with a password needs it', async () => {
          const secret = {
            'muc#roomconfig_passwordprotectedroom': '1',
            'muc#roomconfig_roomsecret': 'sesame',
          };
          await makeRoom(room('secret'), secret);
          const romeo = await speaker();
          assert.equal((await say(romeo, room('secret'))).condition, 'not-authorized');
          assert.equal((await say(romeo, room('secret'), 'wrong')).condition, 'not-authorized');
          const entry = { ...AT_ONCE, room: { password: 'sesame' } };
          await romeo.deliver(letter(room('secret'), 'hello', 'groupchat'), entry);
        });

        test('to a room where visitors are silent comes back', async () => {
          await makeRoom(room('silent'), { 'muc#roomconfig_moderatedroom': '1', members_by_default: '0' });
          const refusal = await say(await speaker(), room('silent'));
          assert.equal(refusal.condition, 'forbidden');
          assert.match(refusal.message, /no voice/);
        });

        test('under a name that somebody has gets another one', async () => {
          await makeRoom(room('names'), {});
          const entry = { ...AT_ONCE, room: { nick: 'owner' } };
          await (await speaker()).deliver(letter(room('names'), 'hello', 'groupchat'), entry);
        });
      });
    }

    async function say(speaker: MessageSender, to: string, password?: string): Promise<Refusal> {
      return expectRefusal(
        speaker.deliver(letter(to, 'hello', 'groupchat'), { ...AT_ONCE, room: { password } }),
      );
    }

    /** Mercutio stays in it as its owner. A room that is there already is left as it is. */
    const made = new Set<string>();
    async function makeRoom(jid: string, config: Readonly<Record<string, string>>): Promise<void> {
      if (made.has(jid)) return;
      made.add(jid);
      const owner = await accounts.senderFor(login('mercutio'));
      await owner.sendStanza(xml('presence', { to: `${jid}/owner` }, xml('x', MUC)));
      const form = await owner.sendIq(xml('iq', { type: 'get', to: jid }, xml('query', OWNER)), 30_000);
      assert.equal(form.attrs.type, 'result', form.toString());
      const offered =
        form.getChild('query', OWNER)?.getChild('x', 'jabber:x:data')?.getChildren('field') ?? [];
      const known = new Set(offered.map(({ attrs }) => attrs.var));
      const wished = Object.entries(config).map(([name, value]) => [kindOf(name, known), value] as const);
      const answer = await owner.sendIq(xml('iq', { type: 'set', to: jid }, submit(wished)), 30_000);
      assert.equal(answer.attrs.type, 'result', answer.toString());
    }

    describe('when the server dies in the middle', () => {
      test('nothing hangs, nothing is said to be sent that is lost, and it goes on afterwards', async () => {
        const romeo = await accounts.senderFor(login('romeo'));
        const bodies = Array.from({ length: 2000 }, (_, n) => `${n}`);
        const before = Promise.allSettled(
          [romeo, alerts].flatMap((speaker) =>
            bodies.map((body) => speaker.deliver(letter('nobody@localhost', body, 'headline'), AT_ONCE)),
          ),
        );
        await server.kill();
        const codes = new Set(
          (await before).map((one) => (one.status === 'rejected' ? (one.reason as Refusal).code : 'sent')),
        );
        for (const code of codes) assert.match(code, /^(?:sent|bounced|no_answer|unavailable)$/);
        await waitUntil(() => components.status()[0]?.up === false);
        assert.equal(
          (await expectRefusal(alerts.sendStanza(letter('juliet@localhost', 'x')))).code,
          'unavailable',
        );
        assert.equal((await expectRefusal(accounts.senderFor(login('romeo')))).code, 'unavailable');
        await server.start();
        await waitUntil(() => components.status()[0]?.up === true);
        await (await accounts.senderFor(login('romeo'))).sendStanza(letter('juliet@localhost', 'back'));
        await alerts.sendStanza(letter('juliet@localhost', 'back'));
      });
    });
  });

  for (const mechanism of ['SCRAM-SHA-256', 'SCRAM-SHA-1', 'PLAIN']) {
    describe(`${kind.name} that offers ${mechanism} only`, { skip: needs(kind.name) }, () => {
      test('lets accounts in by their password', async () => {
        const stage = await createXmppTestbed();
        const disabled = ALL.filter((other) => other !== mechanism);
        const server = await kind.start({ tls: stage.certificate, directPort: await freePort(), disabled });
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
          await stage.remove();
        }
      });
    });
  }
}

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

/** Each server has its own name for "who comes has no voice". */
function kindOf(name: string, known: ReadonlySet<string | undefined>): string {
  if (name !== 'members_by_default') return name;
  const names = [
    'members_by_default',
    'muc#roomconfig_defaultnobody',
    'muc#roomconfig_defaultroomaffiliation',
  ];
  return names.find((one) => known.has(one)) ?? 'muc#roomconfig_moderatedroom';
}

function submit(fields: readonly (readonly [string, string])[]): Element {
  const field = ([name, value]: readonly [string, string]) =>
    xml('field', { var: name }, xml('value', {}, value));
  const all = [['FORM_TYPE', `${MUC}#roomconfig`] as const, ...fields];
  return xml('query', OWNER, xml('x', { xmlns: 'jabber:x:data', type: 'submit' }, ...all.map(field)));
}
