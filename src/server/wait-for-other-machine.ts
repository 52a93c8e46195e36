import { sleep } from '../base/async.ts';
import type { Logger } from '../base/log.ts';
import { HEARTBEAT_TIMEOUT_MS } from '../ledger/contract/ledger.ts';
import { OtherMachineError } from './stores.ts';

/*
 * | an attempt to open the ledger finds     | result                                                   |
 * |-----------------------------------------|----------------------------------------------------------|
 * | no heartbeat of the last minute         | the ledger is open                                       |
 * | the same heartbeat as the first attempt | tries again for up to a minute: the server may be dead   |
 * | a newer heartbeat                       | rejects: the other server runs                           |
 */

/** Milliseconds between two attempts. Each opens the file again, because network file systems then refresh their caches. */
const RETRY_MS = 5_000;

/**
 * Runs `open` and returns its result. If another machine has just used the SQLite file, waits up to `HEARTBEAT_TIMEOUT_MS` until its
 * heartbeat expires, so that a killed server can start again on another machine.
 * @throws OtherMachineError as soon as the other machine sends another heartbeat, or if the signal aborts.
 */
export async function openAfterOtherMachine<Result>(
  open: () => Promise<Result>,
  {
    log,
    signal,
    wait = sleep,
  }: { readonly log: Logger; readonly signal?: AbortSignal | undefined; readonly wait?: typeof sleep },
): Promise<Result> {
  let first: OtherMachineError | undefined;
  for (let waitedMs = 0; ; waitedMs += RETRY_MS) {
    try {
      return await open();
    } catch (error) {
      if (!(error instanceof OtherMachineError) || signal?.aborted) throw error;
      if (first && (error.seenAt > first.seenAt || waitedMs >= HEARTBEAT_TIMEOUT_MS)) throw error;
      if (!first)
        log.warn(
          { reason: error.message },
          'waiting: another machine has used this SQLite file a moment ago',
        );
      first ??= error;
    }
    await wait(RETRY_MS, signal);
  }
}
