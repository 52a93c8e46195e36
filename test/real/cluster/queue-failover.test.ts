import assert from 'node:assert/strict';
import { after, before, describe, type TestContext, test } from 'node:test';
import { CallbackReceiver, type ReceivedRequest } from '../../support/callback-receiver.ts';
import { httpRequest } from '../../support/http.ts';
import { needs } from '../peers/peers.ts';
import { type PostgresServer, startPostgres } from '../peers/postgres.ts';
import { startProsody } from '../peers/prosody.ts';
import type { XmppServer } from '../peers/xmpp-server.ts';
import type { PorterProcess } from '../support/porter-process.ts';
import { createXmppTestbed, PASSWORD, type XmppTestbed } from '../support/xmpp-testbed.ts';
import { startInstances } from './start-instances.ts';
import { readLog } from './worker-log.ts';

const BOT = 'bot.localhost';
const SECRET = 'a secret of twenty characters';
const SENDERS = ['alerts', 'backup'];
const RECIPIENTS = ['romeo', 'juliet'];
const NUMBERS = Array.from({ length: 12 }, (_, number) => number);

const tokenFor = (sender: string) => `the-token-of-${sender}-in-tests`;

describe('Queued items in PostgreSQL, after a kill of the leading instance', {
  skip: needs('prosody', 'slixmpp', 'postgresql'),
}, () => {
  let testbed: XmppTestbed;
  let server: XmppServer;
  let postgres: PostgresServer;
  let receiver: CallbackReceiver;
  before(async () => {
    testbed = await createXmppTestbed();
    server = await startProsody({ components: [{ jid: BOT, secret: SECRET }], tls: testbed.certificate });
    for (const user of RECIPIENTS) await server.register(user, PASSWORD);
    postgres = await startPostgres();
    receiver = await CallbackReceiver.listen();
  });
  after(async () => {
    await receiver?.stop();
    await postgres?.remove();
    await server?.stop();
    await testbed?.remove();
  });

  /** Starts two instances and finds out which one holds the stream. */
  async function startTwo(t: TestContext): Promise<{ leader: PorterProcess; other: PorterProcess }> {
    const instances = await startInstances({
      ledger: await postgres.createSchema(),
      config: {
        public_url: 'http://upload.example.org',
        component: { jid: BOT, secret: SECRET, server: `127.0.0.1:${server.componentPort}` },
        messages: {
          tokens: SENDERS.map((name) => ({ token: tokenFor(name), from: `${name}@${BOT}`, queue: true })),
          callback_url: receiver.url,
          callback: { stanzas: ['message'] },
        },
      },
    });
    t.after(() => instances.remove());
    const [one, two] = instances.all as [PorterProcess, PorterProcess];
    for (const { program, url } of instances.all) {
      await program.waitFor('the stream', async () => (await httpRequest(`${url}/readyz`)).status === 200);
    }
    const holds = ({ program }: PorterProcess) =>
      readLog(program).some(({ msg }) => msg === 'component stream is up');
    return holds(one) ? { leader: one, other: two } : { leader: two, other: one };
  }

  const metric = async ({ url }: PorterProcess, queue: string) => {
    const { text } = await httpRequest(`${url}/metrics`);
    return Number(new RegExp(`^porter_queued\\{queue="${queue}"\\} (\\d+)$`, 'm').exec(text)?.[1]);
  };

  test('messages are sent by the other instance, in order per recipient', async (t) => {
    const { leader, other } = await startTwo(t);
    await server.kill();
    const post = async ({ url }: PorterProcess, sender: string, recipient: string, number: number) => {
      const { status, text } = await httpRequest(`${url}/msg/${recipient}@localhost`, {
        method: 'POST',
        headers: { Authorization: `Bearer ${tokenFor(sender)}`, 'Content-Type': 'text/plain' },
        body: `${sender} ${number}`,
      });
      assert.equal(status, 202, text);
    };
    const queueKeys = SENDERS.flatMap((sender) =>
      RECIPIENTS.map((recipient) => [sender, recipient] as const),
    );
    const postAll = (numbers: readonly number[], to: (number: number) => PorterProcess) =>
      Promise.all(
        queueKeys.map(async (queueKey) => {
          for (const number of numbers) await post(to(number), ...queueKey, number);
        }),
      );
    await postAll(NUMBERS.slice(0, -2), (number) => (number % 2 === 0 ? leader : other));
    await leader.stop('SIGKILL');
    await postAll(NUMBERS.slice(-2), () => other);
    await server.start();
    for (const recipient of RECIPIENTS) {
      const client = await testbed.login(server, recipient);
      t.after(() => client.logout());
      const heard: string[] = [];
      const all = SENDERS.length * NUMBERS.length;
      await other.program.waitFor(`all for ${recipient}`, async () => {
        const { messages } = await client.run<{ messages: [string, string][] }>('drain');
        heard.push(...messages.map(([, body]) => body));
        return new Set(heard).size === all;
      });
      for (const sender of SENDERS) {
        const fromSender = heard.filter((body) => body.startsWith(sender));
        assert.deepEqual(
          fromSender,
          NUMBERS.map((number) => `${sender} ${number}`),
        );
      }
    }
    await other.program.waitFor('the end', async () => (await metric(other, 'outbox')) === 0);
  });

  test('stanzas are posted to the callback by the other instance, in order per sender', async (t) => {
    const { leader, other } = await startTwo(t);
    await receiver.stop();
    for (const sender of RECIPIENTS) {
      const client = await testbed.login(server, sender);
      t.after(() => client.logout());
      for (const number of NUMBERS) await client.run('send', { to: BOT, body: `${sender} ${number}` });
    }
    const all = RECIPIENTS.length * NUMBERS.length;
    await leader.program.waitFor('all to be kept', async () => (await metric(leader, 'callback')) === all);
    await leader.stop('SIGKILL');
    await receiver.start();
    await other.program.waitFor('all to be handed over', async () => (await metric(other, 'callback')) === 0);
    const taken = new Map(receiver.posts.map((post) => [post.headers['x-porter-delivery'], textOf(post)]));
    for (const sender of RECIPIENTS) {
      assert.deepEqual(
        [...taken.values()].filter((text) => text.startsWith(sender)),
        NUMBERS.map((number) => `${sender} ${number}`),
      );
    }
  });
});

const textOf = ({ body }: ReceivedRequest): string => JSON.parse(body).body;
