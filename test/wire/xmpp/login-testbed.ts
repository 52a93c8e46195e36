import assert from 'node:assert/strict';
import { pino } from 'pino';
import { type AccountSettings, createAccountSenders } from '../../../src/xmpp/client/account-senders.ts';
import { accountSettings } from '../../support/account-settings.ts';
import { expectRefusal } from '../../support/component-sender.ts';
import { type FakeC2sConnection, FakeC2sServer } from '../../support/fake-c2s-server.ts';

/** The behaviour of the XMPP server on one connection. */
export type ServerScript = (client: FakeC2sConnection) => Promise<void>;
export const LOGIN = { jid: 'romeo@localhost', password: 'secret', address: '192.0.2.1' };

/** Runs `work` with senders that log in at a server that follows the script. */
export async function withServer(
  script: ServerScript,
  work: (accounts: ReturnType<typeof createAccountSenders>, logLines: readonly string[]) => Promise<void>,
  settings: Partial<AccountSettings> = {},
): Promise<void> {
  const server = await FakeC2sServer.listen(script);
  const logLines: string[] = [];
  const accounts = createAccountSenders({
    clock: Date.now,
    log: pino({ level: 'debug' }, { write: (line: string) => void logLines.push(line) }),
    settings: () =>
      accountSettings(server.port, { requireTls: false, sessions: { max: 5, idle: 60_000 }, ...settings }),
  });
  try {
    await work(accounts, logLines);
  } finally {
    await accounts.stop();
    await server.stop();
  }
}

/** Returns the refusal of a login at this server, and checks that the password is not logged. */
export async function loginRefusalAt(script: ServerScript, settings: Partial<AccountSettings> = {}) {
  let code = '';
  let text = '';
  await withServer(
    script,
    async (accounts, logLines) => {
      const refusal = await expectRefusal(accounts.senderFor(LOGIN));
      code = refusal.code;
      text = refusal.message;
      assert.doesNotMatch(logLines.join(''), /secret/);
    },
    settings,
  );
  return { code, text };
}

export const base64 = (text: string) => Buffer.from(text).toString('base64');
/** Returns the nonce in the first message of SCRAM (RFC 5802). */
export const clientNonce = (first: string) =>
  /r=([^,]+)/.exec(Buffer.from(first, 'base64').toString())?.[1] ?? '';

/** Namespace of stream management (XEP-0198). */
export const SM = 'urn:xmpp:sm:3';
