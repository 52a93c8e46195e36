import { readFileSync } from 'node:fs';
import { createSecureContext } from 'node:tls';
import type { Command } from 'commander';
import { ConfigError, type ConfigProblem } from '../../config/config-error.ts';
import { fileErrorReason } from '../../config/environment-and-secrets.ts';
import { findUnsupportedFeatures, supportedFeatures } from '../../config/features.ts';
import type { Config } from '../../config/load.ts';
import type { CommandContext } from '../lib/command-context.ts';
import { CommandError, EXIT_CODE, formatProblemCount } from '../lib/command-error.ts';
import { findConfigFile, loadCommandConfig } from '../lib/config-file.ts';
import { formatExamples } from '../lib/help.ts';
import { printJson, printLine } from '../lib/output.ts';

export function addCheck(program: Command, shell: CommandContext): void {
  program
    .command('check')
    .summary('validate the config file')
    .description('Validates the config file and tells every problem with its line. Exit code 0 or 2.')
    .option('--json', 'print problems and warnings as JSON')
    .addHelpText('after', formatExamples('porter check -c /etc/porter/porter.yml'))
    .action(async (options: { json?: boolean }, command: Command) => {
      const file = findConfigFile(shell, command) ?? null;
      const found = await examine(shell, command);
      await (options.json ? tellJson(shell, file, found) : tell(shell, file, found));
    });
}

interface Findings {
  readonly warnings: readonly string[];
  readonly error: ConfigError | null;
}

async function examine(shell: CommandContext, command: Command): Promise<Findings> {
  try {
    const config = await loadCommandConfig(shell, command);
    const problems = [...findUnsupportedFeatures(config, supportedFeatures), ...tlsProblems(config)];
    const name = findConfigFile(shell, command) ?? 'the config';
    return { warnings: config.warnings, error: problems.length > 0 ? new ConfigError(name, problems) : null };
  } catch (error) {
    if (error instanceof ConfigError) return { warnings: [], error };
    throw error;
  }
}

/** Certificate and key are read as the server would do it. */
function tlsProblems({ tls, lines }: Config): ConfigProblem[] {
  if (!tls) return [];
  const problem = (key: string, message: string): ConfigProblem => ({
    line: lines[key] ?? lines.tls ?? 0,
    key,
    message,
  });
  const read = (key: 'cert' | 'key') => {
    try {
      return readFileSync(tls[key]);
    } catch (error) {
      return problem(`tls.${key}`, `cannot be read: ${fileErrorReason(error)}`);
    }
  };
  const [cert, key] = [read('cert'), read('key')];
  const unread = [cert, key].filter((file) => !Buffer.isBuffer(file));
  if (!Buffer.isBuffer(cert) || !Buffer.isBuffer(key)) return unread as ConfigProblem[];
  try {
    createSecureContext({ cert, key });
    return [];
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    return [problem('tls', `certificate and key cannot be used together: ${why}`)];
  }
}

async function tell(
  shell: CommandContext,
  file: string | null,
  { warnings, error }: Findings,
): Promise<void> {
  for (const warning of warnings) await printLine(shell.stderr, `warning: ${warning}`);
  if (error) throw error;
  await printLine(
    shell.stdout,
    file === null ? 'There is no config file: the defaults are fine.' : `${file} is fine.`,
  );
}

async function tellJson(
  shell: CommandContext,
  file: string | null,
  { warnings, error }: Findings,
): Promise<void> {
  await printJson(shell, { ok: error === null, file, problems: error?.problems ?? [], warnings });
  if (error) throw new CommandError(`${formatProblemCount(error)} with the config.`, EXIT_CODE.usage);
}
