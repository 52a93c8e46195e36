import { existsSync } from 'node:fs';
import { join, resolve } from 'node:path';
import type { Command } from 'commander';
import { type Config, defaultConfig, loadConfig } from '../config/load.ts';
import type { Shell } from './shell.ts';

const DEFAULT_NAME = 'porter.yml';

/** The file that `-c`, `PORTER_CONFIG` or the current folder name, in this order; undefined where there is none. */
export function configFileOf(shell: Shell, command: Command): string | undefined {
  const { config } = command.optsWithGlobals<{ config?: string }>();
  const named = config ?? shell.env.PORTER_CONFIG;
  if (named !== undefined && named !== '') return named;
  return existsSync(join(shell.folder, DEFAULT_NAME)) ? DEFAULT_NAME : undefined;
}

/** The config a command works with. Throws a `ConfigError`, which becomes exit code 2. */
export async function configOf(shell: Shell, command: Command): Promise<Config> {
  const file = configFileOf(shell, command);
  return file === undefined
    ? defaultConfig(shell.folder)
    : loadConfig(resolve(shell.folder, file), shell.env, file);
}

/** Where `init` writes. */
export function newConfigFile(shell: Shell, command: Command): string {
  return configFileOf(shell, command) ?? DEFAULT_NAME;
}
