/**
 * Handles SIGHUP from construction until `close()`; without a handler the signal would end the process.
 *
 * | state    | effect of SIGHUP                                   | ends with                |
 * |----------|----------------------------------------------------|--------------------------|
 * | starting | is remembered                                      | `onReload()`, `ignore()` |
 * | active   | runs the reload; several run one after the other   | `ignore()`, `close()`    |
 * | ignoring | none (workers, and a server that stops)            | `close()`                |
 */
export class ReloadSignal {
  #reload: (() => Promise<void>) | undefined;
  #pending = false;
  #lastReload = Promise.resolve();

  constructor() {
    process.on('SIGHUP', this.#handle);
  }

  /** Runs `reload` for each signal, and once for signals received before this call. */
  onReload(reload: () => Promise<void>): void {
    this.#reload = reload;
    if (this.#pending) this.#handle();
  }

  ignore(): void {
    this.#reload = async () => {};
  }

  close(): void {
    process.off('SIGHUP', this.#handle);
  }

  readonly #handle = (): void => {
    if (this.#reload) this.#lastReload = this.#lastReload.then(this.#reload);
    else this.#pending = true;
  };
}

/** Resolves with the first SIGTERM or SIGINT. */
export function waitForStopSignal(): Promise<NodeJS.Signals> {
  return new Promise((resolve) => {
    const stop = (signal: NodeJS.Signals) => {
      process.off('SIGTERM', stop).off('SIGINT', stop);
      resolve(signal);
    };
    process.on('SIGTERM', stop).on('SIGINT', stop);
  });
}

/** Runs an orderly shutdown. A second SIGTERM or SIGINT calls `kill` and exits with code 1 at once. */
export async function stopGracefully(
  shutDown: () => Promise<void>,
  kill: () => void = () => {},
): Promise<void> {
  const exitNow = () => {
    kill();
    process.exit(1);
  };
  process.on('SIGTERM', exitNow).on('SIGINT', exitNow);
  await shutDown();
  process.off('SIGTERM', exitNow).off('SIGINT', exitNow);
}

/** Runs a function with a signal that SIGTERM and SIGINT abort with `reason`. */
export async function withStopSignal<Result>(
  reason: Error,
  work: (signal: AbortSignal) => Promise<Result>,
): Promise<Result> {
  const controller = new AbortController();
  const stop = () => controller.abort(reason);
  process.once('SIGINT', stop).once('SIGTERM', stop);
  try {
    return await work(controller.signal);
  } finally {
    process.off('SIGINT', stop).off('SIGTERM', stop);
  }
}
