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

/** One method to send the text to the reader. */
interface SendMethod {
  readonly name: string;
  readonly isPorter: boolean;
  readonly url: string;
  readonly path: string;
  readonly pid: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
  /** The expected status. */
  readonly status: number;
  /** The bare JID of the sender, as the reader sees it. */
  readonly from: string;
}

const TEXT = 'The disk of db1 is 91 % full.';

/** An XMPP server, and its methods to send a message over HTTP. */
interface Peer {
  readonly name: 'prosody' | 'ejabberd';
  start(environment: BenchEnvironment): Promise<XmppServer>;
  methods(server: XmppServer): SendMethod[];
  readonly note: string;
}

const ejabberd: Peer = {
  name: 'ejabberd',
  start: (environment) => environment.ejabberd(),
  methods: ejabberdMethods,
  note: 'The HTTP commands of ejabberd require no password here; Porter checks a token or a password for each message.',
};

const prosody: Peer = {
  name: 'prosody',
  start: (environment) => environment.prosody(),
  methods: () => [],
  note: "No peer: none of Debian's modules of Prosody takes messages over HTTP (mod_rest and mod_post_msg are not among them).",
};

export const messagesEjabberd = through(ejabberd, 'messages-ejabberd', CONNECTIONS);
export const messagesProsody = through(prosody, 'messages-prosody', CONNECTIONS);
/** Each message is sent after the answer to the one before it. */
export const messagesInTurn = [ejabberd, prosody].map((peer) => {
  return through(peer, `messages-in-turn-${peer.name}`, 1);
});

function through(
  { name: peer, start, methods: serverMethods, note }: Peer,
  name: string,
  connections: number,
): Case {
  return {
    name,
    title: `Messages over HTTP to an online user through ${peer}, ${connections === 1 ? 'one after the other' : `${connections} connections`}`,
    needs: [peer, 'wrk'],
    async measure(environment) {
      const server = await start(environment);
      const methods = [...(await porterMethods(environment, server)), ...serverMethods(server)];
      const inbox = await MessageCounter.open(server.reader);
      try {
        for (const method of methods) await checkMethod(method, inbox);
        const rows = await measureRounds(
          environment,
          await Promise.all(methods.map((method) => sender(environment, method, inbox, connections))),
        );
        return { unit: 'messages/s', rows, notes: [...NOTES, note] };
      } finally {
        inbox.close();
      }
    },
  };
}

const NOTES = [
  'Timed until the last message has reached its reader. Two lines wait until the server of the recipient has taken each message;',
  "all others are sent with ?wait=0. The processor time of the XMPP server is not in Porter's.",
];

const jidOf = ({ user, domain }: XmppServer['account']) => `${user}@${domain}`;

async function porterMethods(environment: BenchEnvironment, server: XmppServer): Promise<SendMethod[]> {
  const { url, pid } = await environment.porterWithXmppServer(server);
  const to = jidOf(server.reader);
  const sender = jidOf(server.account);
  const token = { Authorization: `Bearer ${TOKEN.token}` };
  const account = { Authorization: `Basic ${btoa(`${sender}:${server.account.password}`)}` };
  const method = (
    name: string,
    path: string,
    headers: SendMethod['headers'],
    from: string,
    status: number,
  ): SendMethod => ({
    ...{ name: `Porter, ${name}`, isPorter: true, url, path, pid, body: TEXT, status, from },
    headers: { 'Content-Type': 'text/plain', ...headers },
  });
  return [
    method('token', `/msg/${to}?wait=0`, token, TOKEN.from, 201),
    method('account', `/msg/${to}?wait=0`, account, sender, 201),
    method('/rest', `/rest/message/chat/${to}?wait=0`, token, TOKEN.from, 202),
    method('token, taken by the recipient', `/msg/${to}`, token, TOKEN.from, 201),
    method('account, taken by the recipient', `/msg/${to}`, account, sender, 201),
  ];
}

function ejabberdMethods({ url, pid, account, reader }: XmppServer): SendMethod[] {
  const [from, to] = [jidOf(account), jidOf(reader)];
  const stanza = `<message type='chat'><body>${TEXT}</body></message>`;
  const method = (command: string, args: Readonly<Record<string, string>>): SendMethod => ({
    ...{ name: `ejabberd ${command}`, isPorter: false, url, path: `/api/${command}`, pid, status: 200, from },
    headers: { 'Content-Type': 'application/json' },
    body: JSON.stringify(args),
  });
  return [
    method('send_message', { type: 'chat', from, to, subject: '', body: TEXT }),
    method('send_stanza', { from, to, stanza }),
  ];
}

/** Throws if a message sent by this method does not arrive correctly, so that only correct methods are timed. */
async function checkMethod(
  { name, url, path, headers, body, status, from }: SendMethod,
  inbox: MessageCounter,
): Promise<void> {
  const before = inbox.arrived;
  const answer = await httpRequest(url + path, { method: 'POST', headers, body });
  assert.equal(answer.status, status, `${name} answered ${answer.status} ${answer.text}`);
  await inbox.waitForCount(before + 1);
  assert.ok(inbox.last.includes(`<body>${TEXT}</body>`), `${name} sent ${inbox.last}`);
  const seen = /<message[^>]* from=(['"])(.*?)\1/.exec(inbox.last)?.[2] ?? '';
  assert.equal(seen.split('/')[0], from, `${name} sent it from another address`);
}

async function sender(
  environment: BenchEnvironment,
  method: SendMethod,
  inbox: MessageCounter,
  connections: number,
): Promise<Candidate> {
  const { options, folders } = environment;
  const { name, isPorter, pid, url, path, headers, body, status } = method;
  const bodyFile = join(folders.folder, `message-${name.replaceAll(/\W+/g, '-')}`);
  await writeFile(bodyFile, body);
  const load = { url, method: 'POST', bodyFile, status, folder: folders.folder } as const;
  return {
    ...{ name, isPorter, pid },
    async run() {
      const before = inbox.arrived;
      const bounds = { connections, seconds: options.seconds };
      const { done, seconds } = await wrk({ ...load, ...bounds, requests: [{ path, headers }] });
      const late = await inbox.waitForCount(before + done);
      return { done, seconds: seconds + late / 1000 };
    },
    // Messages in progress when the time was up.
    cleanUp: () => inbox.waitUntilQuiet(),
  };
}
