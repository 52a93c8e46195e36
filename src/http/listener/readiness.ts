import type { Logger } from '../../base/log.ts';

/** One thing that Porter needs in order to work. */
export interface ReadinessCheck {
  /** `ledger`, `blobs`, or a component's JID. */
  readonly part: string;
  /** What to tell the world when it is down; never what the store itself said, which may name paths. */
  readonly failureText: string;
  /** Rejects while it is down. */
  readonly check: () => Promise<void>;
}

export interface Readiness {
  readonly ready: boolean;
  /** Empty where all is well. */
  readonly reasons: readonly { readonly part: string; readonly reason: string }[];
}

const TIME_LIMIT_MS = 2000;
const FRESH_MS = 1000;

/**
 * Asks every part at once, each for at most two seconds. An answer holds for one second and questions at the same
 * moment share one, so that a flood of probes costs nothing. What went wrong is logged once, when it begins.
 */
export function createReadiness(
  log: Logger,
  checks: readonly ReadinessCheck[],
  timeLimitMs = TIME_LIMIT_MS,
): () => Promise<Readiness> {
  const down = new Set<string>();
  let answer: Promise<Readiness> | undefined;
  let freshUntil = 0;

  async function ask(): Promise<Readiness> {
    const results = await Promise.all(checks.map((check) => tryOut(check, timeLimitMs)));
    const reasons = results.flatMap(({ check, error }) => {
      report(check, error);
      return error === undefined ? [] : [{ part: check.part, reason: check.failureText }];
    });
    freshUntil = performance.now() + FRESH_MS;
    return { ready: reasons.length === 0, reasons };
  }

  function report(check: ReadinessCheck, error: unknown): void {
    if (error !== undefined && !down.has(check.part)) {
      down.add(check.part);
      log.warn({ err: error, part: check.part }, check.failureText);
    } else if (error === undefined && down.delete(check.part)) {
      log.info({ part: check.part }, 'works again');
    }
  }

  return () => {
    if (answer === undefined || performance.now() >= freshUntil) {
      freshUntil = Number.POSITIVE_INFINITY;
      answer = ask();
    }
    return answer;
  };
}

async function tryOut(
  check: ReadinessCheck,
  limitMs: number,
): Promise<{ check: ReadinessCheck; error: unknown }> {
  const late = Promise.withResolvers<never>();
  const timer = setTimeout(() => late.reject(new Error(`no answer within ${limitMs} ms`)), limitMs);
  try {
    await Promise.race([check.check(), late.promise]);
    return { check, error: undefined };
  } catch (error) {
    return { check, error: error ?? new Error('no reason given') };
  } finally {
    clearTimeout(timer);
  }
}
