import { networkOf } from '../../base/addresses.ts';
import { createKeyedSemaphore, createSemaphore } from '../../base/async.ts';
import type { Clock } from '../../base/clock.ts';
import { createSharedLimit } from '../../base/concurrency-limit.ts';
import { Refusal } from '../../base/errors.ts';
import {
  describeInvalidJid,
  formatBareJid,
  formatJid,
  type Jid,
  looseJidKey,
  parseJid,
} from '../../base/jid.ts';
import type { Logger } from '../../base/log.ts';
import { createSilentDomains } from '../../messages/delivery/delivery-pings.ts';
import type { AccountLogin, MessageSender } from '../../messages/delivery/message-sender.ts';
import { type LoginSettings, logIn } from './login.ts';
import { isCredentialsRefusal, toLoginRefusal } from './login-errors.ts';
import { createLoginThrottle } from './login-throttle.ts';
import { createPasswordMatcher, type PasswordMatcher } from './password-matcher.ts';
import { createSystemDnsResolver, type DnsResolver } from './server-addresses.ts';
import { type AccountSession, startAccountSession } from './session.ts';
import { SessionPool } from './session-pool.ts';

/** The part of `messages` in the config that concerns accounts. Times in milliseconds. */
export type AccountSettings = LoginSettings & {
  /** Returns true if this account (bare JID) may log in through Porter. */
  readonly mayLogIn: (account: string) => boolean;
  readonly sessions: { readonly max: number; readonly idle: number };
  readonly roomIdle: number;
};

export interface AccountSendersOptions {
  readonly clock: Clock;
  readonly log: Logger;
  /** Returns the settings as of the last reload. */
  readonly settings: () => AccountSettings;
  /** For tests; the default is the resolver of this machine. */
  readonly dns?: DnsResolver;
}

/** Senders that use sessions of XMPP accounts. */
export interface AccountSenders {
  /** See `MessageSenders.openAccountSender`. */
  senderFor(login: AccountLogin): Promise<MessageSender>;
  /** Number of open sessions. */
  readonly openSessions: number;
  stop(): Promise<void>;
}

const MAX_PARALLEL_LOGINS = 200;
/** For one network of clients, and for one domain: logins to a server that does not answer last until their timeout. */
const MAX_PARALLEL_LOGINS_PER_KEY = 50;
/** Running and waiting logins together. Further ones are refused with `busy`. */
const MAX_PENDING_LOGINS = 2_000;
/** For one network, one account and one domain. */
const MAX_PENDING_LOGINS_PER_KEY = 500;

interface PendingLogin {
  readonly matchesPassword: PasswordMatcher;
  readonly sender: Promise<MessageSender>;
}

export function createAccountSenders({
  clock,
  log,
  settings,
  dns = createSystemDnsResolver(),
}: AccountSendersOptions): AccountSenders {
  const throttle = createLoginThrottle(clock);
  const limitPendingLogins = createSharedLimit(MAX_PENDING_LOGINS, MAX_PENDING_LOGINS_PER_KEY);
  const limitLoginsPerKey = createKeyedSemaphore(MAX_PARALLEL_LOGINS_PER_KEY);
  const limitParallelLogins = createSemaphore(MAX_PARALLEL_LOGINS);
  const pool = new SessionPool(() => ({
    ...settings().sessions,
    acquireTimeoutMs: settings().answerTimeout,
  }));
  /** By account and resource. */
  const pendingLogins = new Map<string, Set<PendingLogin>>();
  const context = {
    answerTimeout: () => settings().answerTimeout,
    roomIdle: () => settings().roomIdle,
    silentDomains: createSilentDomains(),
  };

  async function openSession(jid: Jid, password: string): Promise<AccountSession> {
    try {
      const bound = await logIn(dns, settings(), jid, password);
      try {
        checkBoundJid(jid, bound.jid);
      } catch (error) {
        bound.stream.destroy(error);
        throw error;
      }
      return startAccountSession(context, bound);
    } catch (error) {
      const refusal = toLoginRefusal(error, jid.domain);
      if (!isCredentialsRefusal(refusal)) logFailure(jid.domain, refusal, error);
      throw refusal;
    }
  }

  /** A server may bind another spelling of the account, or another account, but only at its own domain. */
  function checkBoundJid({ domain }: Jid, boundJid: string): void {
    const bound = parseJid(boundJid);
    if (bound === undefined || bound.local === '') {
      throw new Refusal('server_refused', {
        text: `The XMPP server bound an invalid address. ${describeInvalidJid(boundJid)}`,
      });
    }
    if (bound.domain !== domain) {
      throw new Refusal('server_refused', {
        text: `The XMPP server of ${domain} bound an address at ${bound.domain}.`,
      });
    }
    if (!settings().mayLogIn(formatBareJid(bound))) throw loginNotAllowed();
  }

  /** Without `messages.server`, users choose the domain: then a failure is not a problem of this installation. */
  function logFailure(domain: string, refusal: Refusal, error: unknown): void {
    const level = settings().server ? 'warn' : 'info';
    const cause = refusal.cause ?? error;
    const detail = cause instanceof Error ? cause.message : String(cause);
    const fields = { domain, ...(detail !== refusal.message && { cause: detail }) };
    log[level](fields, `account login failed: ${refusal.message}`);
  }

  function logInThrottled(jid: Jid, { password, address }: AccountLogin): Promise<MessageSender> {
    const attempt = { account: looseJidKey(formatBareJid(jid)), address };
    const network = `network ${networkOf(address)}`;
    const domain = `domain ${jid.domain}`;
    const open = () => pool.add(poolKey(jid), password, () => openSession(jid, password));
    // The limits per network and domain come first, so that one of them cannot use up the limit of all logins.
    const openInTurn = () =>
      limitLoginsPerKey(network, () => limitLoginsPerKey(domain, () => limitParallelLogins(open)));
    return limitPendingLogins([network, domain, `account ${attempt.account}`], () =>
      throttle.attempt(attempt, openInTurn, isWrongPassword),
    );
  }

  /** Requests with the same password share one login. */
  async function joinPendingLogin(jid: Jid, login: AccountLogin): Promise<MessageSender> {
    const key = poolKey(jid);
    const pending = pendingLogins.get(key) ?? new Set();
    for (const { matchesPassword, sender } of pending) if (matchesPassword(login.password)) return sender;
    const matchesPassword = createPasswordMatcher(login.password);
    const started = { matchesPassword, sender: logInThrottled(jid, login) };
    pendingLogins.set(key, pending.add(started));
    try {
      return await started.sender;
    } finally {
      pending.delete(started);
      if (pending.size === 0 && pendingLogins.get(key) === pending) pendingLogins.delete(key);
    }
  }

  return {
    async senderFor(login) {
      const jid = parseJid(login.jid);
      if (jid === undefined || jid.local === '') throw new Refusal('credentials_wrong');
      const account = formatBareJid(jid);
      if (!settings().mayLogIn(account)) {
        throw loginNotAllowed();
      }
      throttle.assertNotLocked({ account: looseJidKey(account), address: login.address });
      return (await pool.find(poolKey(jid), login.password)) ?? joinPendingLogin(jid, login);
    },
    get openSessions() {
      return pool.size;
    },
    stop: () => pool.close(),
  };
}

const loginNotAllowed = () => new Refusal('credentials_wrong', { text: 'This account may not log in here.' });

function isWrongPassword(error: unknown): boolean {
  return error instanceof Refusal && isCredentialsRefusal(error);
}

function poolKey(jid: Jid): string {
  return formatJid(jid);
}
