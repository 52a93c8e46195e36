import { sleep } from '../../base/async.ts';
import { Refusal } from '../../base/errors.ts';
import type { MessageSender } from '../../messages/delivery/message-sender.ts';
import { wrapSender } from '../../messages/delivery/wrap-sender.ts';
import { createPasswordMatcher, type PasswordMatcher } from './password-matcher.ts';
import type { AccountSession } from './session.ts';

/** `messages.sessions` of the config. */
export interface SessionPoolSettings {
  /** Sessions that may be open at the same time. */
  readonly max: number;
  /** Milliseconds after which an unused session is closed. */
  readonly idle: number;
  /** Milliseconds that a login waits while the pool is full. */
  readonly acquireTimeoutMs: number;
}

interface PooledSession {
  readonly key: string;
  readonly session: AccountSession;
  readonly matchesPassword: PasswordMatcher;
  readonly openedAt: number;
  /** Operations in progress. */
  active: number;
  usedAt: number;
  idleTimer: NodeJS.Timeout | undefined;
  isRetired: boolean;
}

/** A session is not closed within this time after its last use, so that its caller can start an operation. */
const MIN_IDLE_MS = 1_000;
const FULL_POOL_POLL_MS = 100;
/**
 * A session older than this is not reused, because the password may have changed since. Most servers close the sessions
 * of the account then, but they do not have to.
 */
const MAX_AGE_MS = 3_600_000;

/**
 * Open sessions, at most one per key (account and resource) that new operations can use.
 *
 * | state   | `#byKey` | `#open` | entered by                                    | left by                              |
 * |---------|----------|---------|-----------------------------------------------|--------------------------------------|
 * | usable  | yes      | yes     | `add`                                         | all transitions below                |
 * | retired | no       | yes     | too old, or `add` of the same key, in use     | its last operation ends: closed      |
 * | closed  | no       | no      | idle, evicted, or its stream ended            | none                                 |
 *
 * Sessions in `#open` and logins in progress count against `max`.
 */
export class SessionPool {
  readonly #settings: () => SessionPoolSettings;
  readonly #byKey = new Map<string, PooledSession>();
  readonly #open = new Set<PooledSession>();
  #loginsInProgress = 0;

  constructor(settings: () => SessionPoolSettings) {
    this.#settings = settings;
  }

  /** Number of open sessions. */
  get size(): number {
    return this.#open.size;
  }

  /** Returns the sender of the session of `key`, or undefined if no session is open with this password. */
  async find(key: string, password: string): Promise<MessageSender | undefined> {
    const pooled = this.#byKey.get(key);
    if (!pooled?.matchesPassword(password)) return undefined;
    const now = performance.now();
    if (now - pooled.openedAt > MAX_AGE_MS) {
      this.#expire(pooled, now);
      return undefined;
    }
    pooled.usedAt = now;
    return (await pooled.session.isAlive()) ? this.#senderOf(pooled) : undefined;
  }

  /**
   * Logs in and keeps the session, which replaces an earlier one of the same key. Throws `Refusal` (`busy`) if the pool stays
   * full of sessions in use.
   */
  async add(key: string, password: string, login: () => Promise<AccountSession>): Promise<MessageSender> {
    await this.#waitForCapacity();
    try {
      return this.#senderOf(this.#keep(key, await login(), createPasswordMatcher(password)));
    } finally {
      this.#loginsInProgress -= 1;
    }
  }

  async close(): Promise<void> {
    const sessions = [...this.#open].map(({ session }) => session);
    this.#byKey.clear();
    await Promise.all(sessions.map((session) => session.close()));
  }

  #keep(key: string, session: AccountSession, matchesPassword: PasswordMatcher): PooledSession {
    const now = performance.now();
    const pooled: PooledSession = {
      key,
      session,
      matchesPassword,
      openedAt: now,
      active: 0,
      usedAt: now,
      idleTimer: undefined,
      isRetired: false,
    };
    const previous = this.#byKey.get(key);
    this.#byKey.set(key, pooled);
    this.#open.add(pooled);
    if (previous) retire(previous);
    void session.ended.then(() => {
      clearTimeout(pooled.idleTimer);
      this.#forget(pooled);
    });
    this.#closeWhenIdle(pooled);
    return pooled;
  }

  #forget(pooled: PooledSession): void {
    if (this.#byKey.get(pooled.key) === pooled) this.#byKey.delete(pooled.key);
    this.#open.delete(pooled);
  }

  #remove(pooled: PooledSession): void {
    this.#forget(pooled);
    retire(pooled);
  }

  /** Takes an old session out of use, busy or not. A caller that has just found it can still start its operation. */
  #expire(pooled: PooledSession, now: number): void {
    if (this.#byKey.get(pooled.key) === pooled) this.#byKey.delete(pooled.key);
    if (pooled.active > 0 || now - pooled.usedAt > MIN_IDLE_MS) retire(pooled);
    else setTimeout(() => retire(pooled), MIN_IDLE_MS).unref();
  }

  #closeWhenIdle(pooled: PooledSession): void {
    const remainingMs = pooled.usedAt + this.#settings().idle - performance.now();
    const isInUse = pooled.active > 0 || pooled.session.joinedRooms > 0;
    if (remainingMs <= 0 && !isInUse) {
      this.#remove(pooled);
      return;
    }
    const checkInMs = Math.max(remainingMs, MIN_IDLE_MS);
    pooled.idleTimer = setTimeout(() => this.#closeWhenIdle(pooled), checkInMs).unref();
  }

  async #waitForCapacity(): Promise<void> {
    const deadline = performance.now() + this.#settings().acquireTimeoutMs;
    while (this.#open.size + this.#loginsInProgress >= this.#settings().max && !this.#evictUnused()) {
      if (performance.now() > deadline) throw new Refusal('busy');
      await sleep(FULL_POOL_POLL_MS);
    }
    this.#loginsInProgress += 1;
  }

  /** Closes the session that has been unused for longest. Returns false if all of them are in use. */
  #evictUnused(): boolean {
    const now = performance.now();
    const unused = [...this.#byKey.values()].filter(
      ({ active, usedAt }) => active === 0 && now - usedAt >= MIN_IDLE_MS,
    );
    const [oldest] = unused.sort((a, b) => a.usedAt - b.usedAt);
    if (oldest) this.#remove(oldest);
    return oldest !== undefined;
  }

  /** Counts the operations in progress, so that no session is closed while one runs. */
  #senderOf(pooled: PooledSession): MessageSender {
    const { sender } = pooled.session;
    return wrapSender(sender.jid, async (operation) => {
      pooled.active += 1;
      try {
        return await operation(sender);
      } finally {
        pooled.active -= 1;
        pooled.usedAt = performance.now();
        if (pooled.isRetired && pooled.active === 0) void pooled.session.close();
      }
    });
  }
}

/** Closes the session now, or at the end of its last operation. */
function retire(pooled: PooledSession): void {
  pooled.isRetired = true;
  if (pooled.active === 0) void pooled.session.close();
}
