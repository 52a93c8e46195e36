import { memoizeFor, withTimeout } from '../../base/async.ts';
import type { Logger } from '../../base/log.ts';

/** A dependency without which Porter does not work. */
export interface ReadinessCheck {
  /** `ledger`, `blobs`, or the JID of a component. */
  readonly part: string;
  /** Public text while it is down. It must not contain error texts of the store, which may name paths. */
  readonly failureText: string;
  /** Rejects while it is down. */
  readonly check: () => Promise<void>;
}

export interface Readiness {
  readonly ready: boolean;
  /** Empty if ready. */
  readonly reasons: readonly { readonly part: string; readonly reason: string }[];
}

const TIMEOUT_MS = 2000;
const VALID_MS = 1000;

/**
 * Returns a function that runs all checks in parallel, each with a timeout. The result is shared by concurrent calls and
 * stays valid for one second, so that many probes cost little. A failure is logged once, when it begins.
 */
export function createReadiness(
  log: Logger,
  checks: readonly ReadinessCheck[],
  timeoutMs = TIMEOUT_MS,
): () => Promise<Readiness> {
  const down = new Set<string>();

  function logChange(check: ReadinessCheck, error: unknown): void {
    if (error !== undefined && !down.has(check.part)) {
      down.add(check.part);
      log.warn({ err: error, part: check.part }, check.failureText);
    } else if (error === undefined && down.delete(check.part)) {
      log.info({ part: check.part }, 'works again');
    }
  }

  return memoizeFor(VALID_MS, async () => {
    const results = await Promise.all(checks.map((check) => runCheck(check, timeoutMs)));
    const reasons = results.flatMap(({ check, error }) => {
      logChange(check, error);
      return error === undefined ? [] : [{ part: check.part, reason: check.failureText }];
    });
    return { ready: reasons.length === 0, reasons };
  });
}

async function runCheck(
  check: ReadinessCheck,
  timeoutMs: number,
): Promise<{ check: ReadinessCheck; error: unknown }> {
  try {
    await withTimeout(check.check(), timeoutMs, () => new Error(`no answer within ${timeoutMs} ms`));
    return { check, error: undefined };
  } catch (error) {
    return { check, error: error ?? new Error('the check failed without a reason') };
  }
}
