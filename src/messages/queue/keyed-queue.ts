/** Lets work of one line go one after the other, in the order of the calls; lines don't wait for each other. */
export interface KeyedQueue {
  run<T>(line: string, work: () => Promise<T>): Promise<T>;
  /** Is something of this line waiting or under way? */
  isBusy(line: string): boolean;
  /** How much is, in all lines. */
  readonly size: number;
}

export function createKeyedQueue(): KeyedQueue {
  const ends = new Map<string, Promise<unknown>>();
  let size = 0;
  return {
    run(line, work) {
      size += 1;
      const before = ends.get(line) ?? Promise.resolve();
      const done = before.then(work, work);
      ends.set(line, done);
      const clear = () => {
        size -= 1;
        if (ends.get(line) === done) ends.delete(line);
      };
      done.then(clear, clear);
      return done;
    },
    isBusy: (line) => ends.has(line),
    get size() {
      return size;
    },
  };
}
