import { LRUCache } from 'lru-cache';

/** Domains whose servers left pings unanswered. They get none for a while, and messages to them wait for a bounce instead. */
export interface SilentDomains {
  has(domain: string): boolean;
  add(domain: string): void;
}

const MAX_SILENT_DOMAINS = 1_000;
const SILENT_FOR_MS = 10 * 60_000;

/** All senders of a process share one list. */
export function createSilentDomains(): SilentDomains {
  const domains = new LRUCache<string, true>({ max: MAX_SILENT_DOMAINS, ttl: SILENT_FOR_MS });
  return {
    has: (domain) => domains.has(domain),
    add: (domain) => void domains.set(domain, true),
  };
}

/** Sends pings after messages. Their answers show that the server of the recipient has processed the messages. */
export interface DeliveryPings {
  /**
   * Resolves when this domain has answered a ping, with a result or an error. The ping is written after all stanzas of this turn
   * of the event loop. Stays pending if the domain does not answer, so the caller has to limit the wait.
   *
   * XMPP keeps the order of stanzas between two entities (RFC 6120 §10.1): a bounce of an earlier message to the domain arrives
   * before the answer.
   */
  answered(domain: string): Promise<void>;
}

export interface DeliveryPingsOptions {
  /** Writes a ping (XEP-0199) to the domain. Resolves with true if it was answered, with false if no answer came in time. */
  readonly ping: (domain: string) => Promise<boolean>;
  readonly silentDomains: SilentDomains;
}

/** The pings to one domain. */
interface DomainPings {
  state: 'scheduled' | 'pending';
  /** Resolve functions of the messages behind the pending ping; the next ping covers them. */
  waiting: (() => void)[];
}

/**
 * At most one ping to each domain is pending. It covers all messages that were written before it.
 *
 * ```
 *  none ──message──▶ scheduled ──this turn of the event loop ends──▶ pending ──answer, no message behind it──▶ none
 *                        ▲                                              │
 *                        └──────────answer, messages behind it──────────┘
 * ```
 */
export function createDeliveryPings({ ping, silentDomains }: DeliveryPingsOptions): DeliveryPings {
  const domains = new Map<string, DomainPings>();

  function schedule(domain: string, pings: DomainPings): void {
    pings.state = 'scheduled';
    // Deferred, so that the ping also covers the other messages of this turn of the event loop.
    setImmediate(() => void sendPing(domain, pings));
  }

  async function sendPing(domain: string, pings: DomainPings): Promise<void> {
    const covered = pings.waiting;
    pings.state = 'pending';
    pings.waiting = [];
    const isAnswered = await ping(domain).catch(() => undefined);
    if (isAnswered === true) for (const resolve of covered) resolve();
    if (isAnswered === false) silentDomains.add(domain);
    if (isAnswered === true && pings.waiting.length > 0) schedule(domain, pings);
    else domains.delete(domain);
  }

  return {
    answered(domain) {
      const { promise, resolve } = Promise.withResolvers<void>();
      if (silentDomains.has(domain)) return promise;
      const pings = domains.get(domain) ?? { state: 'scheduled', waiting: [] };
      pings.waiting.push(resolve);
      if (!domains.has(domain)) {
        domains.set(domain, pings);
        schedule(domain, pings);
      }
      return promise;
    },
  };
}
