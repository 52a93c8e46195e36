import { raceAbort } from '../../base/async.ts';

/** Runs the work for a key once at a time, and shares its result among all callers that ask for it meanwhile. */
export interface SharedWork<T> {
  /**
   * Settles like the work, or rejects with the reason of `signal` when it aborts. The signal that `work` gets aborts when no caller
   * waits for the result any more.
   */
  run(key: string, work: (allLeft: AbortSignal) => Promise<T>, signal?: AbortSignal): Promise<T>;
}

export function createSharedWork<T>(): SharedWork<T> {
  const running = new Map<
    string,
    { readonly result: Promise<T>; readonly left: AbortController; users: number }
  >();

  function begin(key: string, work: (allLeft: AbortSignal) => Promise<T>) {
    const left = new AbortController();
    const result = work(left.signal).finally(() => {
      if (running.get(key)?.left === left) running.delete(key);
    });
    result.catch(() => {});
    const entry = { result, left, users: 0 };
    running.set(key, entry);
    return entry;
  }

  return {
    async run(key, work, signal) {
      const entry = running.get(key) ?? begin(key, work);
      entry.users += 1;
      try {
        return await (signal ? raceAbort(entry.result, signal) : entry.result);
      } finally {
        entry.users -= 1;
        if (entry.users === 0) {
          // The next request begins again, instead of sharing abandoned work.
          if (running.get(key) === entry) running.delete(key);
          entry.left.abort();
        }
      }
    },
  };
}
