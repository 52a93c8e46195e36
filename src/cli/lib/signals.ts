/**
 * SIGHUP, from the first moment to the last: unheard it would end the process. One that comes during the start is
 * answered after it; several are answered one after the other.
 */
export function listenForReload() {
  let reload: (() => Promise<void>) | undefined;
  let missed = false;
  let last = Promise.resolve();
  const heard = () => {
    if (reload) last = last.then(reload);
    else missed = true;
  };
  process.on('SIGHUP', heard);
  return {
    answer(by: () => Promise<void>): void {
      reload = by;
      if (missed) heard();
    },
    ignore(): void {
      reload = async () => {};
    },
    close(): void {
      process.off('SIGHUP', heard);
    },
  };
}

/** Resolves with the first signal that asks to end. */
export function waitForStopSignal(): Promise<NodeJS.Signals> {
  return new Promise((resolve) => {
    const stop = (signal: NodeJS.Signals) => {
      process.off('SIGTERM', stop).off('SIGINT', stop);
      resolve(signal);
    };
    process.on('SIGTERM', stop).on('SIGINT', stop);
  });
}

/** Does the work of an orderly end. A second signal ends it at once: whoever sends it does not want to wait. */
export async function stopGracefully(
  work: () => Promise<void>,
  atOnce: () => void = () => {},
): Promise<void> {
  const endNow = () => {
    atOnce();
    process.exit(1);
  };
  process.on('SIGTERM', endNow).on('SIGINT', endNow);
  await work();
  process.off('SIGTERM', endNow).off('SIGINT', endNow);
}
