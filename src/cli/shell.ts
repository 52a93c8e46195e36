import type { Writable } from 'node:stream';

/** A stream for people or pipes: `process.stdout`, or a test's own. */
export type Output = Writable & { readonly isTTY?: boolean; readonly columns?: number };

/** What a command may touch of the process it runs in. */
export interface Shell {
  /** Results. */
  readonly out: Output;
  /** Progress, warnings and failures. */
  readonly err: Output;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** The current folder. */
  readonly folder: string;
}

export function processShell(): Shell {
  return { out: process.stdout, err: process.stderr, env: process.env, folder: process.cwd() };
}
