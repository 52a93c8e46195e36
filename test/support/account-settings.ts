import type { AccountSettings } from '../../src/xmpp/client/account-senders.ts';

/** Settings for accounts of a server on this local port, with timeouts that suit a busy test machine. */
export function accountSettings(port: number, change: Partial<AccountSettings> = {}): AccountSettings {
  return {
    server: { host: '127.0.0.1', port },
    directTls: false,
    requireTls: true,
    answerTimeout: 30_000,
    roomIdle: 60_000,
    mayLogIn: () => true,
    sessions: { max: 50, idle: 60_000 },
    ...change,
  };
}
