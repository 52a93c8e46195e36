import { sleep } from '../../base/async.ts';
import { backoffMs } from '../../base/backoff.ts';
import type { Clock } from '../../base/clock.ts';
import type { Logger } from '../../base/log.ts';
import type { Ledger, QueuedItem, QueueName } from '../../ledger/contract/ledger.ts';

export interface QueueServices {
  readonly ledger: Pick<Ledger, 'takeDue' | 'nextDueAt' | 'removeQueued' | 'postpone'>;
  readonly clock: Clock;
  readonly log: Logger;
  /** Name of this process, as in its heartbeats. */
  readonly instance: string;
  /** Returns a number from 0 to 1. */
  readonly random?: () => number;
}

/** Result of one delivery attempt. */
export type AttemptResult =
  | { readonly outcome: 'done' }
  /** Counts as an attempt. Retried with growing delays, not before `retryAt`, until the item expires. */
  | { readonly outcome: 'failed'; readonly retryAt?: number | undefined }
  /** Does not count as an attempt. The peer is unreachable, so the whole queue pauses. */
  | { readonly outcome: 'paused' };

/** How the items of one queue are delivered. */
export interface QueueHandler {
  readonly queue: QueueName;
  /** Maximum number of concurrent attempts. At most one item per queue key is in progress. */
  readonly concurrency: number;
  /** Milliseconds that one attempt may take before its signal is aborted. Read before each attempt. */
  readonly attemptTimeout: () => number;
  attempt(item: QueuedItem, signal: AbortSignal): Promise<AttemptResult>;
  /** Called once for an item that expired without success. */
  giveUp(item: QueuedItem): Promise<void>;
}

/** Delivers the items of a queue while this process leads. At most one process runs a queue at a time. */
export interface QueueRunner {
  /** Signals that an item was added. Without the signal the item is found within `POLL_MS`. */
  wake(): void;
  /** Ends the pause of the queue: the peer is reachable again. */
  resume(): void;
  /** Takes no more items. Aborts running attempts after `graceMs`; their items return to the queue. */
  stop(graceMs?: number): Promise<void>;
}

/** Interval at which the ledger is polled, because other processes add items too. */
const POLL_MS = 1_000;
const MIN_WAIT_MS = 10;
const PAUSE_MS = 5_000;
const MAX_RETRY_DELAY_MS = 3_600_000;
/** An aborted attempt has this long to end before another process may take its item. */
const ABORT_GRACE_MS = 10_000;
const STOP_GRACE_MS = 5_000;

/**
 * Delivers each item at least once, and the items of one queue key strictly in order. Memory is bounded by
 * `concurrency`, however long the queue is.
 *
 * ```
 *  in ledger ──takeDue──▶ in progress ──done────────────────────▶ removed
 *      ▲                      │
 *      ├──failed, retry later─┤ failed or paused, and expired ──▶ giveUp, removed
 *      └──paused or stopped───┘
 * ```
 *
 * The runner polls (`POLL_MS`) unless it is paused (until `pausedUntil`), full (`concurrency` attempts running), or
 * stopping.
 */
export function startQueueRunner(services: QueueServices, handler: QueueHandler): QueueRunner {
  const runner = new LedgerQueueRunner(services, handler);
  runner.start();
  return runner;
}

class LedgerQueueRunner implements QueueRunner {
  readonly #services: QueueServices;
  readonly #handler: QueueHandler;
  readonly #stopping = new AbortController();
  readonly #abortAttempts = new AbortController();
  readonly #running = new Set<Promise<void>>();
  readonly #wakeSignal = new WakeSignal();
  #pausedUntil = 0;
  #loop: Promise<void> = Promise.resolve();

  constructor(services: QueueServices, handler: QueueHandler) {
    this.#services = services;
    this.#handler = handler;
  }

  start(): void {
    this.#loop = this.#run();
  }

  wake(): void {
    this.#wakeSignal.notify();
  }

  resume(): void {
    this.#pausedUntil = 0;
    this.#wakeSignal.notify();
  }

  async stop(graceMs = STOP_GRACE_MS): Promise<void> {
    this.#stopping.abort();
    this.#wakeSignal.notify();
    await this.#loop;
    const timer = setTimeout(() => this.#abortAttempts.abort(), graceMs);
    await Promise.all(this.#running);
    clearTimeout(timer);
  }

  async #run(): Promise<void> {
    const { log } = this.#services;
    const { queue } = this.#handler;
    while (!this.#stopping.signal.aborted) {
      const waitMs = await this.#takeDue().catch((err: unknown) => {
        log.error({ err, queue }, 'Cannot read the queue from the database; retrying');
        return POLL_MS;
      });
      await this.#wakeSignal.wait(waitMs);
    }
  }

  /** Starts attempts for due items. Returns the milliseconds until the next poll. */
  async #takeDue(): Promise<number> {
    const { ledger, clock, instance } = this.#services;
    const { queue, concurrency, attemptTimeout } = this.#handler;
    const now = clock();
    const limit = concurrency - this.#running.size;
    if (limit === 0 || now < this.#pausedUntil) return POLL_MS;
    const takenUntil = now + attemptTimeout() + ABORT_GRACE_MS;
    const items = await ledger.takeDue({ queue, now, limit, instance, takenUntil });
    for (const item of items) this.#begin(item);
    if (items.length === limit) return POLL_MS;
    const nextDueAt = (await ledger.nextDueAt(queue)) ?? Number.POSITIVE_INFINITY;
    return Math.max(MIN_WAIT_MS, Math.min(nextDueAt - clock(), POLL_MS));
  }

  #begin(item: QueuedItem): void {
    const done = this.#process(item)
      .catch((err: unknown) => this.#logError(err, item, 'Cannot record the result of a queued item'))
      .finally(() => {
        this.#running.delete(done);
        this.#wakeSignal.notify();
      });
    this.#running.add(done);
  }

  async #process(item: QueuedItem): Promise<void> {
    const { clock } = this.#services;
    const isAborted = this.#abortAttempts.signal;
    const signal = AbortSignal.any([AbortSignal.timeout(this.#handler.attemptTimeout()), isAborted]);
    const result = await this.#handler.attempt(item, signal).catch((err: unknown): AttemptResult => {
      this.#logError(err, item, 'The delivery of a queued item failed with an internal error');
      return { outcome: 'failed' };
    });
    if (result.outcome === 'done') return await this.#remove(item);
    if (isAborted.aborted) return await this.#postpone(item, clock(), false);
    if (clock() >= item.giveUpAt) return await this.#giveUp(item);
    if (result.outcome === 'failed') {
      return await this.#postpone(item, this.#nextAttemptAt(item, result.retryAt), true);
    }
    this.#pausedUntil = clock() + PAUSE_MS;
    await this.#postpone(item, clock(), false);
  }

  /** The last attempt is made when the item expires, not later. */
  #nextAttemptAt({ attempts, giveUpAt }: QueuedItem, retryAt = 0): number {
    const { clock, random = Math.random } = this.#services;
    const now = clock();
    const requested = Math.min(retryAt, now + MAX_RETRY_DELAY_MS);
    const planned = now + backoffMs(attempts, { longestMs: MAX_RETRY_DELAY_MS, chance: random() });
    return Math.min(Math.max(planned, requested), giveUpAt);
  }

  async #giveUp(item: QueuedItem): Promise<void> {
    await this.#handler
      .giveUp(item)
      .catch((err: unknown) => this.#logError(err, item, 'Cannot report that a queued item expired'));
    await this.#remove(item);
  }

  async #postpone(item: QueuedItem, retryAt: number, countsAsAttempt: boolean): Promise<void> {
    const { ledger, instance } = this.#services;
    await ledger.postpone({ ...toRef(item), instance, retryAt, countsAsAttempt });
  }

  /** Retries while no other process may take the item: a delivered item that stays would be delivered again. */
  async #remove(item: QueuedItem): Promise<void> {
    const { ledger, clock } = this.#services;
    for (const deadline = clock() + ABORT_GRACE_MS; ; await sleep(POLL_MS)) {
      try {
        return await ledger.removeQueued(toRef(item));
      } catch (err) {
        if (clock() >= deadline) throw err;
        this.#logError(err, item, 'Cannot remove a delivered item from the queue; retrying');
      }
    }
  }

  #logError(err: unknown, { id }: QueuedItem, message: string): void {
    this.#services.log.error({ err, queue: this.#handler.queue, id }, message);
  }
}

const toRef = ({ queue, queueKey, id }: QueuedItem) => ({ queue, queueKey, id });

/** A timed wait that `notify` ends early, also if it was called before the wait. Does not keep the process alive. */
class WakeSignal {
  #isSet = false;
  #wakeUp: (() => void) | undefined;

  notify(): void {
    this.#isSet = true;
    this.#wakeUp?.();
  }

  async wait(ms: number): Promise<void> {
    if (!this.#isSet) {
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, ms).unref();
        this.#wakeUp = () => {
          clearTimeout(timer);
          resolve();
        };
      });
    }
    this.#isSet = false;
    this.#wakeUp = undefined;
  }
}
