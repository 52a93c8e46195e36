import { readFileSync } from 'node:fs';
import { createSecureContext } from 'node:tls';
import type { Command } from 'commander';
import { reasonOf } from '../config/expand.ts';
import { builtFeatures, missingFeatures } from '../config/features.ts';
import type { Config } from '../config/load.ts';
import { ConfigError, type Problem } from '../config/problems.ts';
import { configFileOf, configOf } from './config-file.ts';
import { CommandFailure, countOf, EXIT } from './fail.ts';
import { example } from './help.ts';
import { printJson, printLine } from './output.ts';
import type { Shell } from './shell.ts';

export function addCheck(program: Command, shell: Shell): void {
  program
    .command('check')
    .summary('validate the config file')
    .description('Validates the config file and tells every problem with its line. Exit code 0 or 2.')
    .option('--json', 'print problems and warnings as JSON')
    .addHelpText('after', example('porter check -c /etc/porter/porter.yml'))
    .action(async (options: { json?: boolean }, command: Command) => {
      const file = configFileOf(shell, command) ?? null;
      const found = await examine(shell, command);
      await (options.json ? tellJson(shell, file, found) : tell(shell, file, found));
    });
}

interface Findings {
  readonly warnings: readonly string[];
  readonly error: ConfigError | null;
}

async function examine(shell: Shell, command: Command): Promise<Findings> {
  try {
    const config = await configOf(shell, command);
    const problems = [...missingFeatures(config, builtFeatures), ...tlsProblems(config)];
    const name = configFileOf(shell, command) ?? 'the config';
    return { warnings: config.warnings, error: problems.length > 0 ? new ConfigError(name, problems) : null };
  } catch (error) {
    if (error instanceof ConfigError) return { warnings: [], error };
    throw error;
  }
}

/** Certificate and key are read as the server would do it. */
function tlsProblems({ tls, lines }: Config): Problem[] {
  if (!tls) return [];
  const problem = (key: string, message: string): Problem => ({
    line: lines[key] ?? lines.tls ?? 0,
    key,
    message,
  });
  const read = (key: 'cert' | 'key') => {
    try {
      return readFileSync(tls[key]);
    } catch (error) {
      return problem(`tls.${key}`, `cannot be read: ${reasonOf(error)}`);
    }
  };
  const [cert, key] = [read('cert'), read('key')];
  const unread = [cert, key].filter((file) => !Buffer.isBuffer(file));
  if (!Buffer.isBuffer(cert) || !Buffer.isBuffer(key)) return unread as Problem[];
  try {
    createSecureContext({ cert, key });
    return [];
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    return [problem('tls', `certificate and key cannot be used together: ${why}`)];
  }
}

async function tell(shell: Shell, file: string | null, { warnings, error }: Findings): Promise<void> {
  for (const warning of warnings) await printLine(shell.err, `warning: ${warning}`);
  if (error) throw error;
  await printLine(
    shell.out,
    file === null ? 'There is no config file: the defaults are fine.' : `${file} is fine.`,
  );
}

async function tellJson(shell: Shell, file: string | null, { warnings, error }: Findings): Promise<void> {
  await printJson(shell, { ok: error === null, file, problems: error?.problems ?? [], warnings });
  if (error) throw new CommandFailure(`${countOf(error)} with the config.`, EXIT.usage);
}
