import type { Clock } from '../../base/clock.ts';
import { Refusal } from '../../base/errors.ts';
import { bareOf, type Jid, parseJid } from '../../base/jid.ts';
import type { Logger } from '../../base/log.ts';
import type { Login, Speaker } from '../../messages/speaker.ts';
import { createGate } from '../gate.ts';
import { isGuess, refusalOf } from './faults.ts';
import { type LoginSettings, logIn } from './login.ts';
import { lockWith, type PasswordLock } from './password-lock.ts';
import { type Names, systemNames } from './places.ts';
import { createPool } from './pool.ts';
import { startSession } from './session.ts';
import { createThrottle } from './throttle.ts';
import { createTurns } from './turns.ts';

/** `messages` of the config, as far as accounts go. Times in milliseconds. */
export interface AccountSettings extends LoginSettings {
  /** May this account (bare JID) log in here at all? */
  readonly mayLogIn: (account: string) => boolean;
  readonly sessions: { readonly max: number; readonly idle: number };
  readonly roomIdle: number;
}

export interface AccountsDeps {
  readonly clock: Clock;
  readonly log: Logger;
  /** As of the last reload. */
  readonly settings: () => AccountSettings;
  /** For tests: another name service than that of this machine. */
  readonly names?: Names;
}

/** People and programs that speak through their own XMPP accounts. */
export interface Accounts {
  /** See `Speakers.account`. */
  account(login: Login): Promise<Speaker>;
  /** Sessions that are open. */
  readonly size: number;
  stop(): Promise<void>;
}

const MAX_LOGINS_AT_ONCE = 200;
const MAX_LOGINS_WAITING = 2_000;

interface Joining {
  readonly opens: PasswordLock;
  readonly speaker: Promise<Speaker>;
}

export function createAccounts(deps: AccountsDeps): Accounts {
  const { settings, log, names = systemNames() } = deps;
  const throttle = createThrottle(deps.clock);
  const gate = createGate(MAX_LOGINS_WAITING);
  const inTurn = createTurns(MAX_LOGINS_AT_ONCE);
  const pool = createPool(() => ({ ...settings().sessions, patience: settings().answerTimeout }));
  /** Logins under way, by account and resource. */
  const joining = new Map<string, Set<Joining>>();
  const times = {
    answerTimeout: () => settings().answerTimeout,
    roomIdle: () => settings().roomIdle,
  };

  async function openSession(jid: Jid, password: string) {
    try {
      return startSession(times, await logIn(names, settings(), jid, password));
    } catch (fault) {
      const refusal = refusalOf(fault, jid.domain);
      if (!isGuess(refusal)) {
        // Where nobody named the server, it is a stranger's as likely as ours.
        const level = settings().server ? 'warn' : 'info';
        log[level]({ domain: jid.domain, err: refusal.cause ?? fault }, `no login: ${refusal.message}`);
      }
      throw refusal;
    }
  }

  function enter(jid: Jid, { password, address }: Login): Promise<Speaker> {
    const tried = { account: bareOf(jid), address };
    const open = () => pool.add(keyOf(jid), password, () => openSession(jid, password));
    return gate(() => throttle.attempt(tried, () => inTurn(open), isGuessed));
  }

  /** Who comes with the same password while the first is logging in waits for the same session. */
  async function share(jid: Jid, login: Login): Promise<Speaker> {
    const key = keyOf(jid);
    const others = joining.get(key) ?? new Set();
    for (const { opens, speaker } of others) if (opens(login.password)) return speaker;
    const ours = { opens: lockWith(login.password), speaker: enter(jid, login) };
    joining.set(key, others.add(ours));
    try {
      return await ours.speaker;
    } finally {
      others.delete(ours);
      if (others.size === 0 && joining.get(key) === others) joining.delete(key);
    }
  }

  return {
    async account(login) {
      const jid = parseJid(login.jid);
      if (jid === undefined || jid.local === '') throw new Refusal('credentials_wrong');
      const account = bareOf(jid);
      if (!settings().mayLogIn(account)) throw new Refusal('credentials_wrong', { text: NOT_HERE });
      throttle.admit({ account, address: login.address });
      return (await pool.find(keyOf(jid), login.password)) ?? share(jid, login);
    },
    get size() {
      return pool.size;
    },
    stop: () => pool.close(),
  };
}

const NOT_HERE = 'This account may not log in here.';

function isGuessed(fault: unknown): boolean {
  return fault instanceof Refusal && isGuess(fault);
}

function keyOf(jid: Jid): string {
  return `${bareOf(jid)}/${jid.resource}`;
}
