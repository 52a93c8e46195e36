import { sleep } from '../base/async.ts';
import type { Logger } from '../base/log.ts';
import { HEARTBEAT_TIMEOUT_MS } from '../ledger/contract/ledger.ts';
import { OtherMachineError } from './stores.ts';

/*
 * | what a look finds                       | result                                              |
 * |-----------------------------------------|-----------------------------------------------------|
 * | no heartbeat of the last minute         | the ledger is open                                  |
 * | the heartbeat that the first look found | look again, for up to a minute: the server may be dead |
 * | a newer heartbeat                       | the other server runs: rejects                      |
 */

/** Milliseconds between two looks. Each opens the file again, because network file systems refresh their caches then. */
const LOOK_MS = 5_000;

/**
 * Runs `open` and returns its result. If another machine has used the SQLite file a moment ago, waits up to
 * `HEARTBEAT_TIMEOUT_MS` for its heartbeat to expire, so that a server that was killed can start again elsewhere.
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
  for (let waitedMs = 0; ; waitedMs += LOOK_MS) {
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
    await wait(LOOK_MS, signal);
  }
}
