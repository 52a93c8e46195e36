import { existsSync } from 'node:fs';
import { join, resolve } from 'node:path';
import type { Command } from 'commander';
import { type Config, defaultConfig, loadConfig } from '../../config/load.ts';
import type { CommandContext } from './command-context.ts';

const DEFAULT_NAME = 'porter.yml';

/** The file that `-c`, `PORTER_CONFIG` or the current folder name, in this order; undefined where there is none. */
export function findConfigFile(shell: CommandContext, command: Command): string | undefined {
  const { config } = command.optsWithGlobals<{ config?: string }>();
  const named = config ?? shell.env.PORTER_CONFIG;
  if (named !== undefined && named !== '') return named;
  return existsSync(join(shell.cwd, DEFAULT_NAME)) ? DEFAULT_NAME : undefined;
}

/** The config a command works with. Throws a `ConfigError`, which becomes exit code 2. */
export async function loadCommandConfig(shell: CommandContext, command: Command): Promise<Config> {
  const file = findConfigFile(shell, command);
  return file === undefined
    ? defaultConfig(shell.cwd)
    : loadConfig(resolve(shell.cwd, file), shell.env, file);
}

/** Where `init` writes. */
export function configFileToWrite(shell: CommandContext, command: Command): string {
  return findConfigFile(shell, command) ?? DEFAULT_NAME;
}
