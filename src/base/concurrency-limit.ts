import { Refusal } from './errors.ts';

/** Runs a piece of work, or refuses it because too many are under way. */
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

/** The places of a concurrency limit, for work that takes one itself: that saves a promise where each counts. */
export interface Places {
  /** Throws `busy` if all are taken. */
  take(): void;
  /** Called once for each `take` that did not throw. */
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

/** Runs a piece of work that counts for each of these keys, or refuses it. */
export type SharedLimit = <T>(keys: readonly string[], work: () => Promise<T>) => Promise<T>;

/**
 * Like `createConcurrencyLimit`, where no key gets more than `share` of the places. The share is checked first, so that a
 * key that has used it up does not take a place from the others.
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
 * Places that senders share. Waiting senders get a place in turn, however many files each of them waits with, and no sender gets the
 * last place while he has all others.
 */
export interface FairPlaces {
  /**
   * Waits for a place, and returns the function that gives it back. Rejects with `Refusal` (`busy`) if too many wait, and with the
   * reason of the signal once that aborts.
   */
  take(sender: string, signal: AbortSignal): Promise<() => void>;
}

interface Waiting {
  start(): void;
}

export interface FairPlacesLimits {
  /** Places in total. Read at each change, so that a reload takes effect. */
  places(): number;
  /** Waiting takes in total. Default: without limit. */
  readonly waiting?: number;
  /** Waiting takes of one sender. Default: without limit. */
  readonly waitingPerSender?: number;
}

export function createFairPlaces(limits: FairPlacesLimits): FairPlaces {
  const limit = () => limits.places();
  const { waiting: maxWaiting = Number.POSITIVE_INFINITY, waitingPerSender = Number.POSITIVE_INFINITY } =
    limits;
  /** Places in use by sender. */
  const used = new Map<string, number>();
  /** The sender that has waited for longest since the last turn comes first. */
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
      // Behind all others.
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
      let isBack = false;
      return () => {
        if (!isBack) giveBack(sender);
        isBack = true;
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
