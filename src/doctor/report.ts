/** `skip`: could not be judged, and the text says why. Only `fail` makes the whole a failure. */
export type FindingState = 'ok' | 'warn' | 'fail' | 'skip';

/** What one check came to, in the words of somebody who has to mend it. */
export interface Finding {
  /** Names the check, the same every time: `body limit`. */
  readonly check: string;
  readonly state: FindingState;
  readonly text: string;
}

/** Takes findings as they come. */
export interface DoctorReport {
  ok(check: string, text: string): void;
  warn(check: string, text: string): void;
  fail(check: string, text: string): void;
  skip(check: string, text: string): void;
  readonly findings: readonly Finding[];
}

export function createDoctorReport(tell: (finding: Finding) => void): DoctorReport {
  const findings: Finding[] = [];
  const note = (state: FindingState) => (check: string, text: string) => {
    const finding = { check, state, text };
    findings.push(finding);
    tell(finding);
  };
  return { ok: note('ok'), warn: note('warn'), fail: note('fail'), skip: note('skip'), findings };
}

/** A fault in one line, without the path that Node writes into its messages. */
export function shortErrorReason(error: unknown): string {
  const { code, message } = (error ?? {}) as { code?: unknown; message?: unknown };
  if (typeof code === 'string') return code;
  return typeof message === 'string' ? message : String(error);
}
