import { Refusal } from '../../base/errors.ts';

/**
 * Runs work of several owners with a limit on how many pieces run at a time. The owners that wait take turns, so that one with
 * much work delays another by one piece only.
 */
export interface FairQueue {
  /**
   * Settles as `work` does. Rejects with `Refusal` (`busy`) if too much waits, and with the reason of `signal` if that aborts before
   * the work has begun.
   */
  run<T>(owner: string, work: () => Promise<T>, signal?: AbortSignal): Promise<T>;
}

export interface FairQueueLimits {
  /** Pieces of work that run at a time. */
  readonly running: number;
  readonly waiting: number;
  readonly waitingPerOwner: number;
}

export function createFairQueue(limits: FairQueueLimits): FairQueue {
  /** Waiting work. The owner whose turn is next comes first. */
  const turns = new Map<string, Set<() => void>>();
  let running = 0;
  let waiting = 0;

  function take(): (() => void) | undefined {
    for (const [owner, starts] of turns) {
      const [start] = starts;
      turns.delete(owner);
      if (start === undefined) continue;
      starts.delete(start);
      waiting -= 1;
      if (starts.size > 0) turns.set(owner, starts);
      return start;
    }
    return undefined;
  }

  function wait(owner: string, signal: AbortSignal | undefined): Promise<void> {
    const starts = turns.get(owner) ?? new Set();
    if (waiting >= limits.waiting || starts.size >= limits.waitingPerOwner) throw new Refusal('busy');
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const start = () => {
      signal?.removeEventListener('abort', leave);
      resolve();
    };
    const leave = () => {
      if (!starts.delete(start)) return;
      waiting -= 1;
      if (starts.size === 0) turns.delete(owner);
      reject(signal?.reason);
    };
    turns.set(owner, starts.add(start));
    waiting += 1;
    signal?.addEventListener('abort', leave, { once: true });
    return promise;
  }

  return {
    async run(owner, work, signal) {
      signal?.throwIfAborted();
      if (running < limits.running) running += 1;
      else await wait(owner, signal);
      try {
        return await work();
      } finally {
        const next = take();
        // The next piece of work takes over this place, so `running` stays as it is.
        if (next) next();
        else running -= 1;
      }
    },
  };
}
