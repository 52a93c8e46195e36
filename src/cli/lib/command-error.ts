import { existsSync } from 'node:fs';
import { dirname } from 'node:path';
import { CommanderError } from 'commander';
import { Refusal } from '../../base/errors.ts';
import { isJournal } from '../../base/log.ts';
import { formatCount } from '../../base/units.ts';
import { ConfigError } from '../../config/config-error.ts';
import { MigrationError } from '../../uploads/migrate-storage/prepare.ts';
import { StoreIdentityError } from '../../uploads/store-identity/store-identity-error.ts';
import type { CommandContext } from './command-context.ts';

/** Exit codes that scripts rely on. */
export const EXIT_CODE = { done: 0, failed: 1, usage: 2 } as const;

/** Ends a command with a message for the admin and an exit code. */
export class CommandError extends Error {
  readonly exitCode: number;

  constructor(message: string, exitCode: number = EXIT_CODE.failed, cause?: unknown) {
    super(message, { cause });
    this.name = 'CommandError';
    this.exitCode = exitCode;
  }
}

/** Returns an error for wrong arguments, with exit code 2. */
export function usageError(message: string): CommandError {
  return new CommandError(message, EXIT_CODE.usage);
}

/** Writes the error of a command to stderr and returns the exit code. With `PORTER_DEBUG=1` it adds the stack. */
export function reportCommandError({ stderr, env }: CommandContext, error: unknown): number {
  // Commander has printed its own message already. Requested help ends with exit code 0.
  if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT_CODE.done : EXIT_CODE.usage;
  // The priority of errors in the journal (sd-daemon(3)).
  const prefix = isJournal(2, env) ? '<3>' : '';
  const print = (text: string) => stderr.write(`${text.replace(/^/gm, prefix)}\n`);
  if (env.PORTER_DEBUG === '1') {
    print(error instanceof Error ? (error.stack ?? error.message) : String(error));
  }
  if (error instanceof ConfigError) {
    print(`${error.format()}\n${formatProblemCount(error)} with the config; nothing was done.`);
    return EXIT_CODE.usage;
  }
  print(`porter: ${formatErrorMessage(error)}`);
  return error instanceof CommandError ? error.exitCode : EXIT_CODE.failed;
}

export function formatProblemCount({ problems }: ConfigError): string {
  return problems.length === 1 ? 'One problem' : formatCount(problems.length, 'problem');
}

type SystemError = NodeJS.ErrnoException & { readonly address?: string; readonly port?: number };

/** Cause and remedy by the `code` of an error from Node. */
const SYSTEM_ERRORS: Readonly<Record<string, (error: SystemError) => string>> = {
  EADDRINUSE: () => 'the address is already in use. Is another Porter running?',
  EADDRNOTAVAIL: () => 'this machine does not have that address. Check `listen` in the config.',
  EACCES: permissionDenied,
  EPERM: permissionDenied,
  ENOENT: () => 'no such file or folder. Check the path.',
  ENOSPC: () => 'the disk is full. Free some space and try again.',
  ECONNREFUSED: () => 'connection refused. Is the server running at this address?',
  ENOTFOUND: () => 'unknown host name. Check the name and DNS.',
};

function permissionDenied({ address, port }: SystemError): string {
  const user = process.getuid === undefined ? '' : ` (running as uid ${process.getuid()})`;
  if (address?.startsWith('/')) return describeSocketFolder(dirname(address), user);
  const remedy =
    port === undefined
      ? 'Run the command as the user that Porter runs as.'
      : 'Ports below 1024 need root or CAP_NET_BIND_SERVICE.';
  return `permission denied${user}. ${remedy}`;
}

/** Returns the cause if a Unix socket cannot be created. Node.js reports a missing folder as a missing permission. */
function describeSocketFolder(folder: string, user: string): string {
  return existsSync(folder)
    ? `the socket cannot be created in ${folder}${user}. The folder must be writable for the user of Porter.`
    : `there is no folder ${folder}. Create it, or let systemd do it (RuntimeDirectory=).`;
}

/** Errors whose message contains the remedy, so that it is printed without additions. */
const EXPECTED_ERRORS = [CommandError, Refusal, StoreIdentityError, MigrationError];

/** Formats any thrown value as one line for the admin. `debugHint` is added to unexpected errors only. */
export function formatErrorMessage(error: unknown, debugHint = ' (PORTER_DEBUG=1 shows more)'): string {
  if (EXPECTED_ERRORS.some((type) => error instanceof type)) return (error as Error).message;
  if (!(error instanceof Error)) return String(error);
  const { code, syscall, path, address = path, port } = error as SystemError;
  const explain = code === undefined ? undefined : SYSTEM_ERRORS[code];
  if (explain === undefined) return `${error.message}${debugHint}`;
  const subject =
    address === undefined ? '' : ` ${address}${port === undefined || port < 0 ? '' : `:${port}`}`;
  return `${syscall === undefined ? '' : `${syscall}${subject}: `}${explain(error)}`;
}
