import { memoizeFor, withTimeout } from '../../base/async.ts';
import type { Logger } from '../../base/log.ts';

/** A dependency without which Porter does not work. */
export interface ReadinessCheck {
  /** `ledger`, `blobs`, `storage`, or the JID of a component. */
  readonly part: string;
  /** Returns the public text for an error of `check`. It must not contain the error's text, which may name paths. */
  readonly failureText: (error: unknown) => string;
  /** Public text while it works, but slowly. */
  readonly slowText: string;
  /** Rejects while it is broken. Runs once at a time. */
  readonly check: () => Promise<void>;
  /** Returns true for an error that shows overload only. Default: no error does. */
  readonly isOverload?: (error: unknown) => boolean;
}

export interface PartReport {
  readonly part: string;
  readonly reason: string;
}

/**
 * | state  | `ready` | `reasons`    | `slow`       | status |
 * |--------|---------|--------------|--------------|--------|
 * | ready  | true    | empty        | empty        | 200    |
 * | slow   | true    | empty        | slow parts   | 200    |
 * | broken | false   | broken parts | slow parts   | 503    |
 */
export interface Readiness {
  readonly ready: boolean;
  readonly reasons: readonly PartReport[];
  readonly slow: readonly PartReport[];
}

/** A check that takes longer is slow. */
const SLOW_AFTER_MS = 2000;
const VALID_MS = 1000;

/**
 * Returns a function that runs all checks in parallel. The result is shared by concurrent calls and stays valid for one
 * second, so that many probes cost little. Each change of a part is logged once.
 */
export function createReadiness(
  log: Logger,
  checks: readonly ReadinessCheck[],
  { slowAfterMs = SLOW_AFTER_MS, validMs = VALID_MS } = {},
): () => Promise<Readiness> {
  const parts = checks.map((check) => new Part(check, log, slowAfterMs));
  return memoizeFor(validMs, async () => {
    const reports = await Promise.all(parts.map((part) => part.probe()));
    const reasons = reports.flatMap(({ broken }) => broken ?? []);
    return { ready: reasons.length === 0, reasons, slow: reports.flatMap(({ slow }) => slow ?? []) };
  });
}

type PartState = 'works' | 'slow' | 'broken';

/**
 * One part and the result of its last completed check.
 *
 *     the check …                            | state
 *     ---------------------------------------|---------------------------------------------------
 *     resolves in time                       | works
 *     rejects                                | broken
 *     rejects with an overload, or is late   | broken if it was broken before, otherwise slow
 *
 * A late check continues, and its result counts when it comes. No other is started meanwhile, so that a hung disk does not
 * use up the threads of the process.
 */
class Part {
  readonly #check: ReadinessCheck;
  readonly #log: Logger;
  readonly #slowAfterMs: number;
  #running: Promise<void> | undefined;
  /** The public text of the failure. */
  #failure: string | undefined;
  #isOverloaded = false;
  #logged: PartState = 'works';

  constructor(check: ReadinessCheck, log: Logger, slowAfterMs: number) {
    this.#check = check;
    this.#log = log;
    this.#slowAfterMs = slowAfterMs;
  }

  async probe(): Promise<{ readonly broken?: PartReport; readonly slow?: PartReport }> {
    this.#running ??= this.#run();
    const isLate = await withTimeout(this.#running, this.#slowAfterMs, () => new Error('late')).then(
      () => false,
      () => true,
    );
    const { part, slowText } = this.#check;
    if (this.#failure !== undefined) return { broken: { part, reason: this.#failure } };
    if (isLate || this.#isOverloaded) {
      this.#logChange('slow', slowText);
      return { slow: { part, reason: slowText } };
    }
    this.#logChange('works', 'works again');
    return {};
  }

  /** Never rejects. */
  async #run(): Promise<void> {
    try {
      // A check may also throw before it returns a promise.
      await (async () => this.#check.check())();
      this.#failure = undefined;
      this.#isOverloaded = false;
    } catch (err) {
      this.#isOverloaded = this.#check.isOverload?.(err) ?? false;
      if (this.#isOverloaded) return;
      this.#failure = this.#check.failureText(err);
      this.#logChange('broken', this.#failure, err);
    } finally {
      this.#running = undefined;
    }
  }

  #logChange(state: PartState, text: string, err?: unknown): void {
    if (state === this.#logged) return;
    this.#logged = state;
    const { part } = this.#check;
    if (state === 'works') this.#log.info({ part }, text);
    else this.#log.warn({ part, ...(err !== undefined && { err }) }, text);
  }
}
