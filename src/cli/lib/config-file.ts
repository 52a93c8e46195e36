import { existsSync } from 'node:fs';
import { join, resolve } from 'node:path';
import type { Command } from 'commander';
import { type Config, defaultConfig, loadConfig } from '../../config/load.ts';
import type { CommandContext } from './command-context.ts';
import { usageError } from './command-error.ts';

const DEFAULT_NAME = 'porter.yml';

/**
 * Returns the config file: `-c` or the argument of `check` and `serve`, else `PORTER_CONFIG`, else `porter.yml` in the current folder.
 * Returns undefined if none is given and there is no `porter.yml`.
 */
export function findConfigFile(context: CommandContext, command: Command): string | undefined {
  const { config } = command.optsWithGlobals<{ config?: string }>();
  const argument = takesConfigFile(command) ? command.args[0] : undefined;
  if (argument !== undefined && config !== undefined)
    throw usageError(`Give the config file once: ${argument}, or -c ${config}.`);
  const named = config ?? argument ?? context.env.PORTER_CONFIG;
  if (named !== undefined && named !== '') return named;
  return existsSync(join(context.cwd, DEFAULT_NAME)) ? DEFAULT_NAME : undefined;
}

const ARGUMENT = 'config-file';

/** Lets a command accept the config file as an argument too, as in `porter check my.yml`. */
export function addConfigArgument(command: Command): Command {
  return command.argument(`[${ARGUMENT}]`, 'the config file, as with -c');
}

function takesConfigFile(command: Command): boolean {
  return command.registeredArguments[0]?.name() === ARGUMENT;
}

/** Loads the config of a command. Throws `ConfigError`, which ends the command with exit code 2. */
export async function loadCommandConfig(
  context: CommandContext,
  command: Command,
  options: { readonly checkFiles?: boolean } = {},
): Promise<Config> {
  const file = findConfigFile(context, command);
  return file === undefined
    ? defaultConfig(context.cwd)
    : loadConfig(resolve(context.cwd, file), context.env, file, options);
}

/** Returns the file that `porter init` writes. */
export function configFileToWrite(context: CommandContext, command: Command): string {
  return findConfigFile(context, command) ?? DEFAULT_NAME;
}
