/** `skip`: the check did not run, for the reason in the text. The doctor fails only after a `fail`. */
export type FindingState = 'ok' | 'warn' | 'fail' | 'skip';

/** The result of one check, with the remedy if it failed. */
export interface Finding {
  /** A stable name of the check, such as `body limit`. */
  readonly check: string;
  readonly state: FindingState;
  readonly text: string;
}

/** Collects findings, and calls `onFinding` with each. */
export class DoctorReport {
  readonly findings: Finding[] = [];
  readonly #onFinding: (finding: Finding) => void;

  constructor(onFinding: (finding: Finding) => void = () => {}) {
    this.#onFinding = onFinding;
  }

  ok(check: string, text: string): void {
    this.#add({ check, state: 'ok', text });
  }

  warn(check: string, text: string): void {
    this.#add({ check, state: 'warn', text });
  }

  fail(check: string, text: string): void {
    this.#add({ check, state: 'fail', text });
  }

  skip(check: string, text: string): void {
    this.#add({ check, state: 'skip', text });
  }

  /** Returns whether one of these checks has failed. The caller can then skip checks that would fail for the same reason. */
  hasFailed(...checks: readonly string[]): boolean {
    return this.findings.some(({ check, state }) => state === 'fail' && checks.includes(check));
  }

  /** Returns a report that adds its findings to this one. Their names begin with the subject, such as a host name. */
  about(subject: string): DoctorReport {
    return new DoctorReport((finding) => this.#add({ ...finding, check: `${subject}: ${finding.check}` }));
  }

  #add(finding: Finding): void {
    this.findings.push(finding);
    this.#onFinding(finding);
  }
}

/** Returns the code of an error, else its message. Messages of Node.js contain paths and system calls; codes are shorter. */
export function shortErrorReason(error: unknown): string {
  const { code, message } = (error ?? {}) as { code?: unknown; message?: unknown };
  if (typeof code === 'string') return code;
  return typeof message === 'string' ? message : String(error);
}
