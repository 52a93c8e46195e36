import type { Readable, Writable } from 'node:stream';

/** A stream for people or pipes: `process.stdout`, or a test's own. */
export type OutputStream = Writable & { readonly isTTY?: boolean; readonly columns?: number };

/** Standard input, or a test's own. */
export type InputStream = Readable & { readonly isTTY?: boolean };

/** What a command may touch of the process it runs in. */
export interface CommandContext {
  /** Results. */
  readonly stdout: OutputStream;
  /** Progress, warnings and failures. */
  readonly stderr: OutputStream;
  /** What is typed or piped in; undefined where nobody can. */
  readonly stdin?: InputStream | undefined;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** The current folder. */
  readonly cwd: string;
}

export function createProcessContext(): CommandContext {
  return {
    stdout: process.stdout,
    stderr: process.stderr,
    // Opened only by who reads it.
    get stdin() {
      return process.stdin;
    },
    env: process.env,
    cwd: process.cwd(),
  };
}
