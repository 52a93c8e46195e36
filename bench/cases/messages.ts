import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { httpRequest } from '../../test/support/http.ts';
import type { BenchEnvironment } from '../environment.ts';
import { MessageCounter } from '../load/inbox.ts';
import { wrk } from '../load/wrk.ts';
import { type Candidate, measureRounds } from '../rounds.ts';
import { TOKEN, type XmppServer } from '../servers/xmpp-server.ts';
import type { Case } from './case.ts';
import { CONNECTIONS } from './files.ts';

/** One way to send the one text to the reader. */
interface Way {
  readonly name: string;
  readonly isPorter: boolean;
  readonly url: string;
  readonly path: string;
  readonly pid: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
  /** The only status that is right. */
  readonly status: number;
  /** The sender that the reader sees, without a resource. */
  readonly from: string;
}

const TEXT = 'The disk of db1 is 91 % full.';

export const messagesEjabberd = through('ejabberd', (world) => world.ejabberd(), ejabberdWays, [
  'Its HTTP commands ask nobody for a password here; Porter looks at a token or a password each time.',
]);

export const messagesProsody = through(
  'prosody',
  (world) => world.prosody(),
  () => [],
  [
    "No peer: none of Debian's modules of Prosody takes messages over HTTP (mod_rest and mod_post_msg are not among them).",
  ],
);

function through(
  peer: 'prosody' | 'ejabberd',
  start: (world: BenchEnvironment) => Promise<XmppServer>,
  itsWays: (server: XmppServer) => Way[],
  notes: readonly string[],
): Case {
  return {
    name: `messages-${peer}`,
    title: `Messages over HTTP to somebody online through ${peer}, ${CONNECTIONS} connections`,
    needs: [peer, 'wrk'],
    async measure(world) {
      const server = await start(world);
      const ways = [...(await ourWays(world, server)), ...itsWays(server)];
      const inbox = await MessageCounter.open(server.reader);
      try {
        for (const way of ways) await checkWay(way, inbox);
        const rows = await measureRounds(
          world,
          await Promise.all(ways.map((way) => sender(world, way, inbox))),
        );
        return { unit: 'messages/s', rows, notes: [...NOTES, ...notes] };
      } finally {
        inbox.close();
      }
    },
  };
}

const NOTES = [
  'Timed until the last message has reached its reader. With 0.5 s for a bounce, the default, each connection carries',
  `at most two messages a second, ${2 * CONNECTIONS} in all; all others are sent with ?wait=0. The processor time of the XMPP server`,
  "is not in Porter's.",
];

const jidOf = ({ user, domain }: XmppServer['account']) => `${user}@${domain}`;

async function ourWays(world: BenchEnvironment, server: XmppServer): Promise<Way[]> {
  const { url, pid } = await world.porterWithXmppServer(server);
  const to = jidOf(server.reader);
  const sender = jidOf(server.account);
  const token = { Authorization: `Bearer ${TOKEN.token}` };
  const account = { Authorization: `Basic ${btoa(`${sender}:${server.account.password}`)}` };
  const way = (name: string, path: string, headers: Way['headers'], from: string, status: number): Way => ({
    ...{ name: `Porter, ${name}`, isPorter: true, url, path, pid, body: TEXT, status, from },
    headers: { 'Content-Type': 'text/plain', ...headers },
  });
  return [
    way('token', `/msg/${to}?wait=0`, token, TOKEN.from, 201),
    way('account', `/msg/${to}?wait=0`, account, sender, 201),
    way('/rest', `/rest/message/chat/${to}?wait=0`, token, TOKEN.from, 202),
    way('token, 0.5 s', `/msg/${to}`, token, TOKEN.from, 201),
  ];
}

function ejabberdWays({ url, pid, account, reader }: XmppServer): Way[] {
  const [from, to] = [jidOf(account), jidOf(reader)];
  const stanza = `<message type='chat'><body>${TEXT}</body></message>`;
  const way = (command: string, args: Readonly<Record<string, string>>): Way => ({
    ...{ name: `its own ${command}`, isPorter: false, url, path: `/api/${command}`, pid, status: 200, from },
    headers: { 'Content-Type': 'application/json' },
    body: JSON.stringify(args),
  });
  return [
    way('send_message', { type: 'chat', from, to, subject: '', body: TEXT }),
    way('send_stanza', { from, to, stanza }),
  ];
}

/** Throws where what is sent this way does not arrive as it should: fast lies are not timed. */
async function checkWay(
  { name, url, path, headers, body, status, from }: Way,
  inbox: MessageCounter,
): Promise<void> {
  const before = inbox.arrived;
  const answer = await httpRequest(url + path, { method: 'POST', headers, body });
  assert.equal(answer.status, status, `${name} answered ${answer.status} ${answer.text}`);
  await inbox.waitForCount(before + 1);
  assert.ok(inbox.last.includes(`<body>${TEXT}</body>`), `${name} sent ${inbox.last}`);
  const seen = /<message[^>]* from=(['"])(.*?)\1/.exec(inbox.last)?.[2] ?? '';
  assert.equal(seen.split('/')[0], from, `${name} sent it from another`);
}

async function sender(world: BenchEnvironment, way: Way, inbox: MessageCounter): Promise<Candidate> {
  const { options, folders } = world;
  const { name, isPorter, pid, url, path, headers, body, status } = way;
  const bodyFile = join(folders.folder, `message-${name.replaceAll(/\W+/g, '-')}`);
  await writeFile(bodyFile, body);
  const load = { url, method: 'POST', bodyFile, status, folder: folders.folder } as const;
  return {
    ...{ name, isPorter, pid },
    async run() {
      const before = inbox.arrived;
      const bounds = { connections: CONNECTIONS, seconds: options.seconds };
      const { done, seconds } = await wrk({ ...load, ...bounds, requests: [{ path, headers }] });
      const late = await inbox.waitForCount(before + done);
      return { done, seconds: seconds + late / 1000 };
    },
    // What was under way when the time was up.
    cleanUp: () => inbox.waitUntilQuiet(),
  };
}
