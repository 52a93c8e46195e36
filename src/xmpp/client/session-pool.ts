import { Refusal } from '../../base/errors.ts';
import type { MessageSender } from '../../messages/delivery/message-sender.ts';
import { createPasswordMatcher, type PasswordMatcher } from './password-matcher.ts';
import type { AccountSession } from './session.ts';

/** `messages.sessions` of the config. */
export interface SessionPoolSettings {
  readonly max: number;
  /** Milliseconds. */
  readonly idle: number;
  /** Milliseconds that a login waits for a place. */
  readonly acquireTimeoutMs: number;
}

/** Sessions that are kept open, each for one account (or one resource of it). */
export interface SessionPool {
  /** The speaker of the open session of `key` whose password this is; undefined where there is none. */
  find(key: string, password: string): Promise<MessageSender | undefined>;
  /** Logs in and keeps the session, in place of one that was there. Refuses with `busy` where no place comes free. */
  add(key: string, password: string, login: () => Promise<AccountSession>): Promise<MessageSender>;
  readonly size: number;
  close(): Promise<void>;
}

interface Kept {
  readonly session: AccountSession;
  readonly opens: PasswordMatcher;
  readonly since: number;
  /** Deliveries and questions under way. */
  active: number;
  usedAt: number;
  timer: NodeJS.Timeout | undefined;
  isRetired: boolean;
}

/** Who got a speaker has so long to say the first word before the session may be closed for another one. */
const GRACE = 1_000;
const LOOK_AGAIN = 100;
/** The password may have changed since: servers mostly close the sessions then, but need not. */
const LONGEST = 3_600_000;

export function createSessionPool(settings: () => SessionPoolSettings): SessionPool {
  const kept = new Map<string, Kept>();
  /** All that hold a place: also those that have been replaced and are still at work. */
  const open = new Set<Kept>();
  let loggingIn = 0;

  function keep(key: string, session: AccountSession, opens: PasswordMatcher): Kept {
    const now = performance.now();
    const entry: Kept = {
      session,
      opens,
      since: now,
      active: 0,
      usedAt: now,
      timer: undefined,
      isRetired: false,
    };
    const former = kept.get(key);
    kept.set(key, entry);
    open.add(entry);
    if (former) retire(former);
    void session.ended.then(() => {
      clearTimeout(entry.timer);
      open.delete(entry);
      if (kept.get(key) === entry) kept.delete(key);
    });
    watchIdle(key, entry);
    return entry;
  }

  function retire(entry: Kept): void {
    entry.isRetired = true;
    if (entry.active === 0) void entry.session.close();
  }

  function drop(key: string, entry: Kept): void {
    if (kept.get(key) === entry) kept.delete(key);
    open.delete(entry);
    retire(entry);
  }

  function watchIdle(key: string, entry: Kept): void {
    const left = entry.usedAt + settings().idle - performance.now();
    const isUsed = entry.active > 0 || entry.session.joinedRooms > 0;
    if (left <= 0 && !isUsed) drop(key, entry);
    else entry.timer = setTimeout(() => watchIdle(key, entry), Math.max(left, GRACE)).unref();
  }

  function closeOldest(): boolean {
    const now = performance.now();
    const unused = [...kept].filter(([, { active, usedAt }]) => active === 0 && now - usedAt >= GRACE);
    const [oldest] = unused.sort(([, a], [, b]) => a.usedAt - b.usedAt);
    if (oldest) drop(...oldest);
    return oldest !== undefined;
  }

  async function takePlace(): Promise<void> {
    const end = performance.now() + settings().acquireTimeoutMs;
    while (open.size + loggingIn >= settings().max && !closeOldest()) {
      if (performance.now() > end) throw new Refusal('busy');
      await new Promise((resolve) => setTimeout(resolve, LOOK_AGAIN));
    }
    loggingIn += 1;
  }

  /** Counts what is under way, so that no session is closed in the middle of it. */
  function counted(entry: Kept): MessageSender {
    const { sender } = entry.session;
    const during = async <T>(work: () => Promise<T>): Promise<T> => {
      entry.active += 1;
      try {
        return await work();
      } finally {
        entry.active -= 1;
        entry.usedAt = performance.now();
        if (entry.isRetired && entry.active === 0) void entry.session.close();
      }
    };
    return {
      jid: sender.jid,
      deliver: (message, options) => during(() => sender.deliver(message, options)),
      sendIq: (iq, timeoutMs, takes) => during(() => sender.sendIq(iq, timeoutMs, takes)),
      sendStanza: (stanza) => during(() => sender.sendStanza(stanza)),
    };
  }

  return {
    async find(key, password) {
      const entry = kept.get(key);
      if (!entry?.opens(password)) return undefined;
      entry.usedAt = performance.now();
      if (entry.active === 0 && performance.now() - entry.since > LONGEST) {
        drop(key, entry);
        return undefined;
      }
      return (await entry.session.isAlive()) ? counted(entry) : undefined;
    },
    async add(key, password, login) {
      await takePlace();
      try {
        return counted(keep(key, await login(), createPasswordMatcher(password)));
      } finally {
        loggingIn -= 1;
      }
    },
    get size() {
      return open.size;
    },
    async close() {
      const sessions = [...open].map(({ session }) => session);
      kept.clear();
      await Promise.all(sessions.map((session) => session.close()));
    },
  };
}
