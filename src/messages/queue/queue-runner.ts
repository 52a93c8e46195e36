import { backoffMs } from '../../base/backoff.ts';
import type { Clock } from '../../base/clock.ts';
import type { Logger } from '../../base/log.ts';
import type { Ledger, QueuedItem, QueueName } from '../../ledger/contract/ledger.ts';

export interface QueueServices {
  readonly ledger: Pick<Ledger, 'takeDue' | 'nextDueAt' | 'removeQueued' | 'postpone'>;
  readonly clock: Clock;
  readonly log: Logger;
  /** Names this process, as in its heartbeats. */
  readonly instance: string;
  /** 0 to 1. */
  readonly random?: () => number;
}

/** What became of a try. */
export type AttemptResult =
  | { readonly outcome: 'done' }
  /** It counts: tried again later and later, not before `retryAt`, and given up at the end of its time. */
  | { readonly outcome: 'failed'; readonly retryAt?: number | undefined }
  /** No try at all: the way is closed, for everything in this queue. */
  | { readonly outcome: 'not_now' };

/** How a queue is worked off. */
export interface QueueHandler {
  readonly queue: QueueName;
  /** Tries under way at one time, over all lanes; one of each lane. */
  readonly concurrency: number;
  /** Milliseconds that one try may take; then its signal is aborted, and it must end soon. Asked before each. */
  readonly attemptTimeout: () => number;
  attempt(item: QueuedItem, signal: AbortSignal): Promise<AttemptResult>;
  /** The end of something that was tried until its time was over. */
  giveUp(item: QueuedItem): Promise<void>;
}

/** Works off a queue while this process leads; of several processes only one runs it at a time. */
export interface QueueRunner {
  /** Something was put into the queue. Not heard, it is found a second later. */
  wake(): void;
  /** The way is open again. */
  resume(): void;
  /** Takes nothing more; what is under way may end for so many milliseconds, then it goes back into the queue. */
  stop(graceMs?: number): Promise<void>;
}

/** How often the ledger is looked at: other processes put things into the queue as well. */
const LOOK_MS = 1_000;
const SHORTEST_WAIT_MS = 10;
const PAUSE_MS = 5_000;
const LONGEST_WAIT_MS = 3_600_000;
/** A try that was aborted has this long to end before another process may take its place. */
const SLACK_MS = 10_000;
const GRACE_MS = 5_000;

/**
 * Hands over what waits: each at least once, those of one lane strictly one after the other. Memory is bounded by
 * `atOnce`, whatever waits.
 */
export function startQueueRunner(deps: QueueServices, work: QueueHandler): QueueRunner {
  const { ledger, clock, log, instance } = deps;
  const { queue } = work;
  const stopping = new AbortController();
  const giveBack = new AbortController();
  const underWay = new Set<Promise<void>>();
  const bell = createBell();
  let closedUntil = 0;

  async function run(): Promise<void> {
    while (!stopping.signal.aborted) {
      const next = await takeDue().catch((err: unknown) => {
        log.error({ err, queue }, 'what waits cannot be read; trying again');
        return LOOK_MS;
      });
      await bell.wait(next);
    }
  }

  /** Starts what is due. Milliseconds until there may be more. */
  async function takeDue(): Promise<number> {
    const now = clock();
    const room = work.concurrency - underWay.size;
    if (room === 0 || now < closedUntil) return LOOK_MS;
    const takenUntil = now + work.attemptTimeout() + SLACK_MS;
    const taken = await ledger.takeDue({ queue, now, limit: room, instance, takenUntil });
    for (const item of taken) begin(item);
    if (taken.length === room) return LOOK_MS;
    const at = (await ledger.nextDueAt(queue)) ?? Number.POSITIVE_INFINITY;
    return Math.max(SHORTEST_WAIT_MS, Math.min(at - clock(), LOOK_MS));
  }

  function begin(item: QueuedItem): void {
    const done = tryOnce(item)
      .catch((err: unknown) => log.error({ err, queue, id: item.id }, 'what became of it is not on record'))
      .finally(() => {
        underWay.delete(done);
        bell.ring();
      });
    underWay.add(done);
  }

  async function tryOnce(item: QueuedItem): Promise<void> {
    const signal = AbortSignal.any([AbortSignal.timeout(work.attemptTimeout()), giveBack.signal]);
    const attempt = await work.attempt(item, signal).catch((err: unknown): AttemptResult => {
      log.error({ err, queue, id: item.id }, 'a try broke down');
      return { outcome: 'failed' };
    });
    if (attempt.outcome === 'done') return await settle(item);
    if (giveBack.signal.aborted) return await postpone(item, clock(), false);
    if (clock() >= item.giveUpAt) return await giveUp(item);
    if (attempt.outcome === 'failed') return await postpone(item, nextTry(item, attempt.retryAt), true);
    closedUntil = clock() + PAUSE_MS;
    await postpone(item, clock(), false);
  }

  /** One last time when its time is over, and not after it. */
  function nextTry({ attempts, giveUpAt }: QueuedItem, retryAt = 0): number {
    const now = clock();
    const asked = Math.min(retryAt, now + LONGEST_WAIT_MS);
    const own = now + backoffMs(attempts, (deps.random ?? Math.random)(), LONGEST_WAIT_MS);
    return Math.min(Math.max(own, asked), giveUpAt);
  }

  async function giveUp(item: QueuedItem): Promise<void> {
    await work
      .giveUp(item)
      .catch((err: unknown) => log.error({ err, queue, id: item.id }, 'nobody could be told of its end'));
    await settle(item);
  }

  async function postpone(item: QueuedItem, at: number, countsAsAttempt: boolean): Promise<void> {
    await ledger.postpone({ ...placeOf(item), instance, retryAt: at, countsAsAttempt });
  }

  /** Said until the ledger has heard it, for as long as nobody else may have it: or it would be sent again. */
  async function settle(item: QueuedItem): Promise<void> {
    for (const deadline = clock() + SLACK_MS; ; await pause(LOOK_MS)) {
      try {
        return await ledger.removeQueued(placeOf(item));
      } catch (err) {
        if (clock() >= deadline) throw err;
        log.error({ err, queue, id: item.id }, 'the ledger does not take that it is done; trying again');
      }
    }
  }

  const running = run();
  return {
    wake: bell.ring,
    resume() {
      closedUntil = 0;
      bell.ring();
    },
    async stop(graceMs = GRACE_MS) {
      stopping.abort();
      bell.ring();
      await running;
      const timer = setTimeout(() => giveBack.abort(), graceMs);
      await Promise.all(underWay);
      clearTimeout(timer);
    },
  };
}

const placeOf = ({ queue, queueKey, id }: QueuedItem) => ({ queue, queueKey: queueKey, id });

const pause = (ms: number) => new Promise<void>((resolve) => void setTimeout(resolve, ms));

/** A wait that can be cut short, also by a ring that came before it. Keeps no process alive. */
function createBell() {
  let rung = false;
  let wakeUp: (() => void) | undefined;
  return {
    ring(): void {
      rung = true;
      wakeUp?.();
    },
    async wait(ms: number): Promise<void> {
      if (!rung) {
        await new Promise<void>((resolve) => {
          const timer = setTimeout(resolve, ms).unref();
          wakeUp = () => {
            clearTimeout(timer);
            resolve();
          };
        });
      }
      rung = false;
      wakeUp = undefined;
    },
  };
}
