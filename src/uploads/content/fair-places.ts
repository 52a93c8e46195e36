/**
 * Places that senders share. Waiting senders get a place in turn, however many files each of them waits with, and no sender gets the
 * last place while he has all others.
 */
export interface FairPlaces {
  /** Waits for a place, and returns the function that gives it back. Rejects with the reason of the signal once that aborts. */
  take(sender: string, signal: AbortSignal): Promise<() => void>;
}

interface Waiting {
  start(): void;
}

/** `limit`: places in total. Read at each change, so that a reload takes effect. */
export function createFairPlaces(limit: () => number): FairPlaces {
  /** Places in use by sender. */
  const used = new Map<string, number>();
  /** The sender that has waited for longest since the last turn comes first. */
  const waiting = new Map<string, Waiting[]>();
  let total = 0;

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
      waiting.delete(sender);
      // Behind all others.
      if (queue.length > 0) waiting.set(sender, queue);
      next?.start();
    }
  }

  function leaveQueue(sender: string, entry: Waiting): void {
    const queue = (waiting.get(sender) ?? []).filter((other) => other !== entry);
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
      startWaiting();
    });
  }
}
