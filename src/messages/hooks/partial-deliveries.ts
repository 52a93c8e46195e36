import { LRUCache } from 'lru-cache';
import type { Clock } from '../../base/clock.ts';
import { type MessageResult, mayHaveArrived } from '../send-messages.ts';

/**
 * Remembers events that reached only some of their recipients. Programs such as Alertmanager repeat such an event for
 * minutes. Recipients that have the message must not get it again.
 */
export interface PartialDeliveries {
  /** Returns the recipients that do not have the message of this event yet. */
  remainingRecipients(key: string, to: readonly string[]): readonly string[];
  recordResults(key: string, results: readonly MessageResult[]): void;
  /** False if no event is remembered. */
  readonly hasAny: boolean;
}

const RETENTION_MS = 15 * 60_000;
const MAX_EVENTS = 500;

interface Delivery {
  readonly reached: ReadonlySet<string>;
  readonly expiresAt: number;
}

/** One per process, in memory only: a duplicate message after a restart is acceptable. */
export function createPartialDeliveries(clock: Clock): PartialDeliveries {
  const deliveries = new LRUCache<string, Delivery>({ max: MAX_EVENTS });
  const reachedBy = (key: string): ReadonlySet<string> => {
    const delivery = deliveries.peek(key);
    return delivery && delivery.expiresAt > clock() ? delivery.reached : new Set();
  };
  return {
    get hasAny() {
      return deliveries.size > 0;
    },
    remainingRecipients(key, to) {
      const reached = reachedBy(key);
      return to.filter((jid) => !reached.has(jid));
    },
    recordResults(key, results) {
      const newlyReached = results.filter(mayHaveArrived).map(({ to }) => to);
      const reached = new Set([...reachedBy(key), ...newlyReached]);
      deliveries.delete(key);
      if (newlyReached.length === results.length || reached.size === 0) return;
      deliveries.set(key, { reached, expiresAt: clock() + RETENTION_MS });
    },
  };
}
