/** Runs the work of one key strictly in the order of the calls. Different keys do not wait for each other. */
export interface KeyedQueue {
  run<T>(key: string, work: () => Promise<T>): Promise<T>;
  /** Returns true if work of this key is waiting or running. */
  isBusy(key: string): boolean;
  /** Number of waiting and running pieces of work, over all keys. */
  readonly size: number;
}

export function createKeyedQueue(): KeyedQueue {
  const tails = new Map<string, Promise<unknown>>();
  let size = 0;
  return {
    run(key, work) {
      size += 1;
      const previous = tails.get(key) ?? Promise.resolve();
      const done = previous.then(work, work);
      tails.set(key, done);
      const remove = () => {
        size -= 1;
        if (tails.get(key) === done) tails.delete(key);
      };
      done.then(remove, remove);
      return done;
    },
    isBusy: (key) => tails.has(key),
    get size() {
      return size;
    },
  };
}
