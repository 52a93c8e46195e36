import type { Clock } from '../../base/clock.ts';
import { type MessageResult, mayHaveArrived } from '../send-messages.ts';

/**
 * Remembers calls that reached some of their recipients only. A program like Alertmanager posts such a call again and
 * again for minutes; those who have the message must not get it each time.
 */
export interface PartialDeliveries {
  /** Those of `to` who do not have the message of this call yet. */
  remainingRecipients(key: string, to: readonly string[]): readonly string[];
  recordResults(key: string, posted: readonly MessageResult[]): void;
  /** May a call be a repetition at all? */
  readonly hasAny: boolean;
}

const KEPT_MS = 15 * 60_000;
const MAX_CALLS = 500;

/** One for the process, and only in its memory: a message too many after a restart is no loss. */
export function createPartialDeliveries(clock: Clock): PartialDeliveries {
  const calls = new Map<string, { readonly reached: ReadonlySet<string>; readonly until: number }>();
  const reachedBy = (key: string) => {
    const call = calls.get(key);
    return call && call.until > clock() ? call.reached : new Set<string>();
  };
  return {
    get hasAny() {
      return calls.size > 0;
    },
    remainingRecipients(key, to) {
      const reached = reachedBy(key);
      return to.filter((jid) => !reached.has(jid));
    },
    recordResults(key, posted) {
      const now = posted.filter(mayHaveArrived).map(({ to }) => to);
      const reached = new Set([...reachedBy(key), ...now]);
      calls.delete(key);
      if (now.length === posted.length || reached.size === 0) return;
      if (calls.size >= MAX_CALLS) calls.delete(calls.keys().next().value ?? '');
      calls.set(key, { reached, until: clock() + KEPT_MS });
    },
  };
}
