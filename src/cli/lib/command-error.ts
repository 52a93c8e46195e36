import { CommanderError } from 'commander';
import { Refusal } from '../../base/errors.ts';
import { ConfigError } from '../../config/config-error.ts';
import type { CommandContext } from './command-context.ts';

/** Exit codes that scripts rely on. */
export const EXIT_CODE = { done: 0, failed: 1, usage: 2 } as const;

/** Ends a command with a sentence for the person who typed it, and an exit code. */
export class CommandError extends Error {
  readonly exitCode: number;

  constructor(message: string, exitCode: number = EXIT_CODE.failed, cause?: unknown) {
    super(message, { cause });
    this.name = 'CommandFailure';
    this.exitCode = exitCode;
  }
}

/** Wrong arguments: exit code 2. */
export function usageError(message: string): CommandError {
  return new CommandError(message, EXIT_CODE.usage);
}

/** Says on `err` why a command ended, and returns its exit code. With `PORTER_DEBUG=1` the stack comes too. */
export function reportCommandError(shell: CommandContext, error: unknown): number {
  if (error instanceof CommanderError) return commanderExit(error);
  const say = (text: string) => shell.stderr.write(`${text}\n`);
  if (shell.env.PORTER_DEBUG === '1') say(stackOf(error));
  if (error instanceof ConfigError) {
    const count = error.problems.length;
    say(
      `${error.format()}\n${count === 1 ? 'One problem' : `${count} problems`} with the config; nothing was done.`,
    );
    return EXIT_CODE.usage;
  }
  say(`porter: ${formatErrorMessage(error)}`);
  return error instanceof CommandError ? error.exitCode : EXIT_CODE.failed;
}

export function formatProblemCount({ problems }: ConfigError): string {
  return problems.length === 1 ? 'One problem' : `${problems.length} problems`;
}

/** Commander has told its own errors already. Help that was asked for is no failure. */
function commanderExit(error: CommanderError): number {
  return error.exitCode === 0 ? EXIT_CODE.done : EXIT_CODE.usage;
}

function stackOf(error: unknown): string {
  return error instanceof Error ? (error.stack ?? error.message) : String(error);
}

const SYSTEM_FAULTS: Readonly<Record<string, string>> = {
  EADDRINUSE: 'the address is in use already; is another Porter running?',
  EADDRNOTAVAIL: 'this machine does not have that address',
  EACCES: 'permission denied',
  EPERM: 'permission denied',
  ENOENT: 'there is no such file or folder',
  ENOSPC: 'there is no space left on the disk',
  ECONNREFUSED: 'nobody answers there',
  ENOTFOUND: 'there is no such host',
};

type SystemFault = NodeJS.ErrnoException & { readonly address?: string; readonly port?: number };

/** One line for a person, from whatever was thrown; `more` says where there is more of what nobody has foreseen. */
export function formatErrorMessage(error: unknown, more = ' (PORTER_DEBUG=1 shows more)'): string {
  if (error instanceof CommandError || error instanceof Refusal) return error.message;
  if (!(error instanceof Error)) return String(error);
  const { code, syscall, path, address = path, port } = error as SystemFault;
  const known = code === undefined ? undefined : SYSTEM_FAULTS[code];
  if (known === undefined) return `${error.message}${more}`;
  const place = address === undefined ? '' : ` ${address}${port === undefined ? '' : `:${port}`}`;
  return `${syscall === undefined ? '' : `${syscall}${place}: `}${known}`;
}
