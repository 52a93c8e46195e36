import { Refusal } from './errors.ts';

/** Runs an async function. Rejects with `Refusal` (`busy`) if too many are running. */
export type ConcurrencyLimit = <T>(work: () => Promise<T>) => Promise<T>;

export function createConcurrencyLimit(limit: number): ConcurrencyLimit {
  const places = createPlaces(limit);
  return async (work) => {
    places.take();
    try {
      return await work();
    } finally {
      places.giveBack();
    }
  };
}

/** A concurrency limit for hot code: the caller takes and gives back a place itself, which saves a promise. */
export interface Places {
  /** Throws `Refusal` (`busy`) if all places are taken. */
  take(): void;
  /** Gives a place back. Must be called once for each `take` that did not throw. */
  giveBack(): void;
}

export function createPlaces(limit: number): Places {
  let taken = 0;
  return {
    take() {
      if (taken >= limit) throw new Refusal('busy');
      taken += 1;
    },
    giveBack() {
      taken -= 1;
    },
  };
}

/** Runs an async function that counts for each of these keys. Rejects with `Refusal` (`busy`) if too many are running. */
export type SharedLimit = <T>(keys: readonly string[], work: () => Promise<T>) => Promise<T>;

/**
 * Creates a concurrency limit in which no key gets more than `share` of the `limit` places. The share is checked first, so that a key
 * at its share does not take a place from the others.
 */
export function createSharedLimit(limit: number, share: number): SharedLimit {
  const limitTotal = createConcurrencyLimit(limit);
  const inside = new Map<string, number>();
  return async (keys, work) => {
    if (keys.some((key) => (inside.get(key) ?? 0) >= share)) throw new Refusal('busy');
    for (const key of keys) inside.set(key, (inside.get(key) ?? 0) + 1);
    try {
      return await limitTotal(work);
    } finally {
      for (const key of keys) {
        const left = (inside.get(key) ?? 0) - 1;
        if (left > 0) inside.set(key, left);
        else inside.delete(key);
      }
    }
  };
}

/**
 * Places that are shared among senders. Waiting senders take turns, regardless of the number of files that each has. No sender gets the
 * last place while it has all others.
 */
export interface FairPlaces {
  /**
   * Waits for a place, and returns a function that gives it back. Rejects with `Refusal` (`busy`) if too many senders wait, and with
   * the reason of the signal when it aborts.
   */
  take(sender: string, signal: AbortSignal): Promise<() => void>;
}

interface Waiting {
  start(): void;
}

export interface FairPlacesLimits {
  /** Returns the number of places. Called at each change, so that a reload takes effect. */
  places(): number;
  /** The largest number of waiting calls of `take`. Default: no limit. */
  readonly waiting?: number;
  /** The largest number of waiting calls of `take` for one sender. Default: no limit. */
  readonly waitingPerSender?: number;
}

export function createFairPlaces(limits: FairPlacesLimits): FairPlaces {
  const limit = () => limits.places();
  const { waiting: maxWaiting = Number.POSITIVE_INFINITY, waitingPerSender = Number.POSITIVE_INFINITY } =
    limits;
  /** Places in use by sender. */
  const used = new Map<string, number>();
  /** Waiting calls by sender, in the order of turns: the first sender has the next turn. */
  const waiting = new Map<string, Waiting[]>();
  let total = 0;
  let waitingTotal = 0;

  const mayStart = (sender: string) => total < limit() && (used.get(sender) ?? 0) < Math.max(1, limit() - 1);

  const occupy = (sender: string) => {
    total += 1;
    used.set(sender, (used.get(sender) ?? 0) + 1);
  };

  const giveBack = (sender: string) => {
    total -= 1;
    const left = (used.get(sender) ?? 0) - 1;
    if (left > 0) used.set(sender, left);
    else used.delete(sender);
    startWaiting();
  };

  function startWaiting(): void {
    for (const [sender, queue] of waiting) {
      if (total >= limit()) return;
      if (!mayStart(sender)) continue;
      const next = queue.shift();
      waitingTotal -= 1;
      waiting.delete(sender);
      // Moves the sender behind all others.
      if (queue.length > 0) waiting.set(sender, queue);
      next?.start();
    }
  }

  function leaveQueue(sender: string, entry: Waiting): void {
    const queue = (waiting.get(sender) ?? []).filter((other) => other !== entry);
    waitingTotal -= 1;
    if (queue.length > 0) waiting.set(sender, queue);
    else waiting.delete(sender);
  }

  return {
    async take(sender, signal) {
      signal.throwIfAborted();
      if (waiting.size === 0 && mayStart(sender)) occupy(sender);
      else await wait(sender, signal);
      let isGivenBack = false;
      return () => {
        if (!isGivenBack) giveBack(sender);
        isGivenBack = true;
      };
    },
  };

  function wait(sender: string, signal: AbortSignal): Promise<void> {
    const isFull = waitingTotal >= maxWaiting || (waiting.get(sender)?.length ?? 0) >= waitingPerSender;
    if (isFull) throw new Refusal('busy');
    return new Promise((resolve, reject) => {
      const entry = {
        start() {
          signal.removeEventListener('abort', abort);
          occupy(sender);
          resolve();
        },
      };
      const abort = () => {
        leaveQueue(sender, entry);
        reject(signal.reason);
      };
      signal.addEventListener('abort', abort, { once: true });
      const queue = waiting.get(sender);
      if (queue) queue.push(entry);
      else waiting.set(sender, [entry]);
      waitingTotal += 1;
      startWaiting();
    });
  }
}
