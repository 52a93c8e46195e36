import { LRUCache } from 'lru-cache';
import type { Clock } from '../../base/clock.ts';
import { ID_ALPHABET, randomId } from '../../base/ids.ts';
import type { AdHocStage } from './ad-hoc-command.ts';

/** A command that waits for the next answer of its user. */
export interface AdHocSession extends Pick<AdHocStage, 'actions' | 'execute'> {
  readonly node: string;
}

/** Sessions by owner. The least recently used ones are dropped first. */
export interface AdHocSessions {
  /** Keeps a session. Returns its id. */
  keep(owner: string, session: AdHocSession, id?: string): string;
  /** Removes and returns a session, so that no second request can use it at the same time. Returns undefined if there is none. */
  take(owner: string, id: string): AdHocSession | undefined;
}

/** Milliseconds until an unused session expires. */
export const SESSION_TIMEOUT_MS = 10 * 60_000;
const MAX_SESSIONS_PER_OWNER = 5;
const MAX_OWNERS = 1_000;

export function createAdHocSessions(clock: Clock): AdHocSessions {
  const aging = { ttl: SESSION_TIMEOUT_MS, ttlResolution: 0, perf: { now: clock } };
  const owners = new LRUCache<string, LRUCache<string, AdHocSession>>({ max: MAX_OWNERS, ...aging });
  return {
    keep(owner, session, id = randomId()) {
      const sessions =
        owners.get(owner) ?? new LRUCache<string, AdHocSession>({ max: MAX_SESSIONS_PER_OWNER, ...aging });
      sessions.set(id, session);
      owners.set(owner, sessions);
      return id;
    },
    take(owner, id) {
      const sessions = owners.get(owner);
      const session = sessions?.get(id);
      sessions?.delete(id);
      return session;
    },
  };
}

const SESSION_ID = new RegExp(`^[${ID_ALPHABET}]{26}$`);

/** Returns true for ids of the form that `keep` returns: an unknown one has expired, or was lost in a restart. */
export function isSessionId(id: string): boolean {
  return SESSION_ID.test(id);
}
