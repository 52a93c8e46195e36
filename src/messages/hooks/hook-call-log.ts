import { createDelayedTask, withTimeout } from '../../base/async.ts';
import type { Logger } from '../../base/log.ts';
import type { HookCall, Ledger } from '../../ledger/contract/ledger.ts';

/** Records the last call of each hook for the web page. */
export interface HookCallLog {
  /** Returns at once and never fails. */
  add(call: HookCall): void;
  /** Writes the pending calls to the ledger. Never rejects. */
  flush(): Promise<void>;
}

const FLUSH_AFTER_MS = 1000;
const FLUSH_TIMEOUT_MS = 5000;
const MAX_PROGRAM = 100;
const MAX_REFUSAL = 300;

/** Keeps the last call of each hook in memory and writes them once a second, so that no answer waits for the ledger. */
export function createHookCallLog({
  ledger,
  log,
}: {
  readonly ledger: Pick<Ledger, 'recordHookCalls'>;
  readonly log: Logger;
}): HookCallLog {
  const pending = new Map<string, HookCall>();
  const writing = createDelayedTask(FLUSH_AFTER_MS, async () => {
    const calls = [...pending.values()];
    pending.clear();
    if (calls.length === 0) return;
    const late = () => new Error('the ledger does not answer');
    await withTimeout(ledger.recordHookCalls(calls), FLUSH_TIMEOUT_MS, late).catch((error: unknown) =>
      log.debug({ reason: String(error), calls: calls.length }, 'could not record calls of hooks'),
    );
  });
  return {
    add(call) {
      const { hook, program, refusal } = call;
      pending.set(hook, {
        ...call,
        program: program.slice(0, MAX_PROGRAM),
        refusal: refusal.slice(0, MAX_REFUSAL),
      });
      writing.schedule();
    },
    flush: writing.runNow,
  };
}
