/** Runs async functions with a limit on how many run at a time. Waiting functions start in the order of their calls. */
export type Semaphore = <T>(work: () => Promise<T>) => Promise<T>;

export function createSemaphore(limit: number): Semaphore {
  const waiting: (() => void)[] = [];
  let running = 0;
  return async (work) => {
    if (running < limit) running += 1;
    else await new Promise<void>((resolve) => waiting.push(resolve));
    try {
      return await work();
    } finally {
      const next = waiting.shift();
      // The next function takes over this place, so `running` does not change.
      if (next) next();
      else running -= 1;
    }
  };
}

/** Creates a semaphore for each key. It exists while it is in use. */
export function createKeyedSemaphore(limit: number): <T>(key: string, work: () => Promise<T>) => Promise<T> {
  const entries = new Map<string, { readonly run: Semaphore; users: number }>();
  return async (key, work) => {
    const entry = entries.get(key) ?? { run: createSemaphore(limit), users: 0 };
    entries.set(key, entry);
    entry.users += 1;
    try {
      return await entry.run(work);
    } finally {
      entry.users -= 1;
      if (entry.users === 0) entries.delete(key);
    }
  };
}

/** Resolves after `ms` milliseconds, or as soon as the signal aborts. */
export function sleep(ms: number, signal?: AbortSignal): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  if (signal?.aborted) return Promise.resolve();
  const done = () => {
    clearTimeout(timer);
    signal?.removeEventListener('abort', done);
    resolve();
  };
  const timer = setTimeout(done, ms);
  signal?.addEventListener('abort', done, { once: true });
  return promise;
}

/** Settles as `work` does, or rejects with `createError()` after `ms` milliseconds. The work itself is not stopped. */
export async function withTimeout<T>(work: Promise<T>, ms: number, createError: () => Error): Promise<T> {
  const timeout = Promise.withResolvers<never>();
  const timer = setTimeout(() => timeout.reject(createError()), ms);
  try {
    return await Promise.race([work, timeout.promise]);
  } finally {
    clearTimeout(timer);
  }
}

/** Settles as `work` does, or rejects with the signal's reason once it aborts. The work itself is not stopped. */
export async function raceAbort<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  const aborted = Promise.withResolvers<never>();
  const abort = () => aborted.reject(signal.reason);
  if (signal.aborted) abort();
  else signal.addEventListener('abort', abort, { once: true });
  try {
    return await Promise.race([work, aborted.promise]);
  } finally {
    signal.removeEventListener('abort', abort);
  }
}

/**
 * Shares one result among all callers: `load` runs once at a time, and its result (or error) stays valid for `ms`
 * milliseconds after it settled.
 */
export function memoizeFor<T>(ms: number, load: () => Promise<T>): () => Promise<T> {
  let result: Promise<T> | undefined;
  let validUntil = 0;
  return () => {
    if (result === undefined || performance.now() >= validUntil) {
      validUntil = Number.POSITIVE_INFINITY;
      result = load().finally(() => {
        validUntil = performance.now() + ms;
      });
    }
    return result;
  };
}

/** Caches the value for the last key, compared by identity. For values that depend on the current config object. */
export function memoizeLast<K extends object, V>(create: (key: K) => V): (key: K) => V {
  let last: { readonly key: K; readonly value: V } | undefined;
  return (key) => {
    if (last?.key !== key) last = { key, value: create(key) };
    return last.value;
  };
}

export interface DelayedTask {
  /** Runs the task after the delay, unless a run is scheduled already. The timer does not keep the process alive. */
  schedule(): void;
  /** Runs the task after the current run, without a delay. */
  runNow(): Promise<void>;
}

/** Combines calls: the task runs once for all calls within `ms` milliseconds, and never twice at a time. It must not reject. */
export function createDelayedTask(ms: number, task: () => Promise<void>): DelayedTask {
  let timer: NodeJS.Timeout | undefined;
  let running: Promise<void> = Promise.resolve();
  const runNow = () => {
    clearTimeout(timer);
    timer = undefined;
    running = running.then(task);
    return running;
  };
  return {
    schedule() {
      timer ??= setTimeout(runNow, ms).unref();
    },
    runNow,
  };
}
