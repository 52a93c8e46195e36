import { createSemaphore } from '../../base/async.ts';
import type { Clock } from '../../base/clock.ts';
import { createConcurrencyLimit } from '../../base/concurrency-limit.ts';
import { Refusal } from '../../base/errors.ts';
import { formatBareJid, type Jid, parseJid } from '../../base/jid.ts';
import type { Logger } from '../../base/log.ts';
import type { AccountLogin, MessageSender } from '../../messages/delivery/message-sender.ts';
import { type LoginSettings, logIn } from './login.ts';
import { isCredentialsRefusal, toLoginRefusal } from './login-errors.ts';
import { createLoginThrottle } from './login-throttle.ts';
import { createPasswordMatcher, type PasswordMatcher } from './password-matcher.ts';
import { createSystemDnsResolver, type DnsResolver } from './server-addresses.ts';
import { startAccountSession } from './session.ts';
import { createSessionPool } from './session-pool.ts';

/** `messages` of the config, as far as accounts go. Times in milliseconds. */
export interface AccountSettings extends LoginSettings {
  /** May this account (bare JID) log in here at all? */
  readonly mayLogIn: (account: string) => boolean;
  readonly sessions: { readonly max: number; readonly idle: number };
  readonly roomIdle: number;
}

export interface AccountSendersOptions {
  readonly clock: Clock;
  readonly log: Logger;
  /** As of the last reload. */
  readonly settings: () => AccountSettings;
  /** For tests: another name service than that of this machine. */
  readonly dns?: DnsResolver;
}

/** People and programs that speak through their own XMPP accounts. */
export interface AccountSenders {
  /** See `MessageSenders.openAccountSender`. */
  senderFor(login: AccountLogin): Promise<MessageSender>;
  /** Sessions that are open. */
  readonly openSessions: number;
  stop(): Promise<void>;
}

const MAX_LOGINS_AT_ONCE = 200;
const MAX_LOGINS_WAITING = 2_000;

interface Joining {
  readonly opens: PasswordMatcher;
  readonly speaker: Promise<MessageSender>;
}

export function createAccountSenders(deps: AccountSendersOptions): AccountSenders {
  const { settings, log, dns = createSystemDnsResolver() } = deps;
  const throttle = createLoginThrottle(deps.clock);
  const gate = createConcurrencyLimit(MAX_LOGINS_WAITING);
  const inTurn = createSemaphore(MAX_LOGINS_AT_ONCE);
  const pool = createSessionPool(() => ({
    ...settings().sessions,
    acquireTimeoutMs: settings().answerTimeout,
  }));
  /** Logins under way, by account and resource. */
  const joining = new Map<string, Set<Joining>>();
  const times = {
    answerTimeout: () => settings().answerTimeout,
    roomIdle: () => settings().roomIdle,
  };

  async function openSession(jid: Jid, password: string) {
    try {
      return startAccountSession(times, await logIn(dns, settings(), jid, password));
    } catch (fault) {
      const refusal = toLoginRefusal(fault, jid.domain);
      if (!isCredentialsRefusal(refusal)) {
        // Where nobody named the server, it is a stranger's as likely as ours.
        const level = settings().server ? 'warn' : 'info';
        log[level]({ domain: jid.domain, err: refusal.cause ?? fault }, `no login: ${refusal.message}`);
      }
      throw refusal;
    }
  }

  function enter(jid: Jid, { password, address }: AccountLogin): Promise<MessageSender> {
    const tried = { account: formatBareJid(jid), address };
    const open = () => pool.add(keyOf(jid), password, () => openSession(jid, password));
    return gate(() => throttle.attempt(tried, () => inTurn(open), isGuessed));
  }

  /** Who comes with the same password while the first is logging in waits for the same session. */
  async function share(jid: Jid, login: AccountLogin): Promise<MessageSender> {
    const key = keyOf(jid);
    const others = joining.get(key) ?? new Set();
    for (const { opens, speaker } of others) if (opens(login.password)) return speaker;
    const isPorter = { opens: createPasswordMatcher(login.password), speaker: enter(jid, login) };
    joining.set(key, others.add(isPorter));
    try {
      return await isPorter.speaker;
    } finally {
      others.delete(isPorter);
      if (others.size === 0 && joining.get(key) === others) joining.delete(key);
    }
  }

  return {
    async senderFor(login) {
      const jid = parseJid(login.jid);
      if (jid === undefined || jid.local === '') throw new Refusal('credentials_wrong');
      const account = formatBareJid(jid);
      if (!settings().mayLogIn(account)) throw new Refusal('credentials_wrong', { text: NOT_HERE });
      throttle.assertNotLocked({ account, address: login.address });
      return (await pool.find(keyOf(jid), login.password)) ?? share(jid, login);
    },
    get openSessions() {
      return pool.size;
    },
    stop: () => pool.close(),
  };
}

const NOT_HERE = 'This account may not log in here.';

function isGuessed(fault: unknown): boolean {
  return fault instanceof Refusal && isCredentialsRefusal(fault);
}

function keyOf(jid: Jid): string {
  return `${formatBareJid(jid)}/${jid.resource}`;
}
