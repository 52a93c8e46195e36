import type { Readable, Writable } from 'node:stream';

/** A stream for people or pipes: `process.stdout`, or a test's own. */
export type Output = Writable & { readonly isTTY?: boolean; readonly columns?: number };

/** Standard input, or a test's own. */
export type Input = Readable & { readonly isTTY?: boolean };

/** What a command may touch of the process it runs in. */
export interface Shell {
  /** Results. */
  readonly out: Output;
  /** Progress, warnings and failures. */
  readonly err: Output;
  /** What is typed or piped in; undefined where nobody can. */
  readonly in?: Input | undefined;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** The current folder. */
  readonly folder: string;
}

export function processShell(): Shell {
  return {
    out: process.stdout,
    err: process.stderr,
    // Opened only by who reads it.
    get in() {
      return process.stdin;
    },
    env: process.env,
    folder: process.cwd(),
  };
}
