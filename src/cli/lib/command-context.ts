import type { Readable, Writable } from 'node:stream';

/** `process.stdout`, `process.stderr`, or a capturing stream in tests. */
export type OutputStream = Writable & { readonly isTTY?: boolean; readonly columns?: number };

/** `process.stdin`, or a prepared stream in tests. */
export type InputStream = Readable & { readonly isTTY?: boolean };

/** The parts of the process that a command may use. */
export interface CommandContext {
  /** For results. */
  readonly stdout: OutputStream;
  /** For progress, warnings and errors. */
  readonly stderr: OutputStream;
  /** Undefined if the command has no input. */
  readonly stdin?: InputStream | undefined;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly cwd: string;
}

export function createProcessContext(): CommandContext {
  return {
    stdout: process.stdout,
    stderr: process.stderr,
    // A getter, because the first access opens the stream and keeps the process alive.
    get stdin() {
      return process.stdin;
    },
    env: process.env,
    cwd: process.cwd(),
  };
}
