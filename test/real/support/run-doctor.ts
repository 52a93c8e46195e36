import assert from 'node:assert/strict';
import type { Finding, FindingState } from '../../../src/doctor/report.ts';
import { runPorter } from './porter-process.ts';

/** The findings and the exit code of `porter doctor`. */
export interface DoctorResult {
  readonly code: number | null;
  readonly findings: readonly Finding[];
  /** The whole output, for messages of failed tests. */
  readonly output: string;
}

export async function runDoctor(
  file: string,
  args: readonly string[] = [],
  env: Readonly<Record<string, string>> = {},
): Promise<DoctorResult> {
  const { code, stdout, stderr } = await runPorter(['doctor', '--json', '-c', file, ...args], { env });
  const { findings } = stdout === '' ? { findings: [] } : (JSON.parse(stdout) as { findings: Finding[] });
  return { code, findings, output: stdout + stderr };
}

/** Checks that exactly these checks have this state, and that their texts match. */
export function assertFindings(
  { findings, output }: DoctorResult,
  state: FindingState,
  expected: Readonly<Record<string, RegExp>>,
): void {
  const found = findings.filter((finding) => finding.state === state);
  const named = [...new Set(found.map(({ check }) => check))].toSorted();
  assert.deepEqual(named, Object.keys(expected).toSorted(), output);
  for (const { check, text } of found) assert.match(text, expected[check] ?? /^$/, output);
}
