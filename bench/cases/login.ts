import { randomId } from '../../src/base/ids.ts';
import { httpRequest } from '../../test/support/http.ts';
import type { BenchEnvironment } from '../environment.ts';
import { MessageCounter } from '../load/inbox.ts';
import { type Candidate, measureRounds, toCandidate } from '../rounds.ts';
import { register } from '../servers/ejabberd.ts';
import { USER, type XmppServer } from '../servers/xmpp-server.ts';
import type { Case } from './case.ts';

/** Accounts per round; all rounds together stay below the session limit. */
const ACCOUNTS = 60;
const AT_ONCE = 8;

type Sender = typeof USER;

export const messagesLogin: Case = {
  name: 'messages-login',
  title: `Messages of ${ACCOUNTS} accounts through ejabberd, ${AT_ONCE} at once: their first, which logs in, and their second`,
  needs: ['ejabberd'],
  async measure(environment) {
    const server = await environment.ejabberd();
    const inbox = await MessageCounter.open(server.reader);
    try {
      const rows = await measureRounds(environment, await firstAndSecond(environment, server, inbox));
      return { unit: 'messages/s', rows, notes: NOTES };
    } finally {
      inbox.close();
    }
  },
};

const NOTES = [
  'The processor time includes all threads of Porter. Other threads than the main thread compute the SCRAM responses.',
];

async function firstAndSecond(
  environment: BenchEnvironment,
  server: XmppServer,
  inbox: MessageCounter,
): Promise<Candidate[]> {
  const porter = await environment.porterWithXmppServer(server);
  const to = `${server.reader.user}@${server.reader.domain}`;
  const url = `${porter.url}/msg/${to}?wait=0`;
  let senders: Sender[] = [];
  const run = async () => {
    const started = performance.now();
    const before = inbox.arrived;
    await sendOneEach(url, senders);
    await inbox.waitForCount(before + senders.length);
    return { done: senders.length, seconds: (performance.now() - started) / 1000 };
  };
  return [
    {
      ...{ ...toCandidate(porter), name: 'Porter, the first', run },
      async prepare() {
        senders = await newAccounts(server);
      },
    },
    { ...toCandidate(porter), name: 'Porter, the second', run },
  ];
}

async function newAccounts(server: XmppServer): Promise<Sender[]> {
  const accounts = Array.from({ length: ACCOUNTS }, () => ({ ...USER, user: randomId() }));
  for (const account of accounts) await register(server, account);
  return accounts;
}

async function sendOneEach(url: string, senders: readonly Sender[]): Promise<void> {
  const waiting = [...senders];
  const worker = async () => {
    for (let from = waiting.pop(); from; from = waiting.pop()) {
      const Authorization = `Basic ${btoa(`${from.user}@${from.domain}:${from.password}`)}`;
      const headers = { Authorization, 'Content-Type': 'text/plain' };
      const { status, text } = await httpRequest(url, { method: 'POST', headers, body: 'Hello' });
      if (status !== 201) throw new Error(`an answer was ${status} ${text}`);
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, worker));
}
