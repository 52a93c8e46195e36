import type { Command } from 'commander';
import { formatCount } from '../../base/units.ts';
import { ConfigError, type ConfigProblem } from '../../config/config-error.ts';
import type { Config } from '../../config/load.ts';
import { networkLedgerWarnings } from '../../config/network-file-system.ts';
import { findKeyLine } from '../../config/parse-yaml.ts';
import { findDecoderProblem, INSTALL_DECODER } from '../../uploads/thumbnails/shrinker.ts';
import type { CommandContext } from '../lib/command-context.ts';
import { CommandError, EXIT_CODE, formatProblemCount } from '../lib/command-error.ts';
import { addConfigArgument, findConfigFile, loadCommandConfig } from '../lib/config-file.ts';
import { formatExamples } from '../lib/help.ts';
import { printJson, printLine } from '../lib/output.ts';

export function addCheck(program: Command, context: CommandContext): void {
  addConfigArgument(program.command('check'))
    .summary('check the config file')
    .description('Checks the config file and prints every problem with its line. Exit code 0 or 2.')
    .option('--json', 'print problems and warnings as JSON')
    .addHelpText('after', formatExamples('porter check /etc/porter/porter.yml'))
    .action(async (_file: string | undefined, options: { json?: boolean }, command: Command) => {
      const file = findConfigFile(context, command) ?? null;
      const result = await checkConfig(context, command);
      await (options.json ? printResultJson(context, file, result) : printResult(context, file, result));
    });
}

interface CheckResult {
  readonly warnings: readonly string[];
  readonly error: ConfigError | null;
}

async function checkConfig(context: CommandContext, command: Command): Promise<CheckResult> {
  try {
    const config = await loadCommandConfig(context, command, { checkFiles: true });
    const problems = await findThumbnailProblems(config);
    const name = findConfigFile(context, command) ?? 'the config';
    const warnings = [...config.warnings, ...networkLedgerWarnings(config)];
    return { warnings, error: problems.length > 0 ? new ConfigError(name, problems) : null };
  } catch (error) {
    if (error instanceof ConfigError) return { warnings: [], error };
    throw error;
  }
}

async function findThumbnailProblems({ thumbnails, lines }: Config): Promise<ConfigProblem[]> {
  const reason = thumbnails ? await findDecoderProblem() : undefined;
  if (reason === undefined) return [];
  const message = `the package sharp cannot be loaded: ${reason}`;
  const hint = `run: ${INSTALL_DECODER}, or set it to false`;
  return [{ line: findKeyLine(lines, 'thumbnails'), key: 'thumbnails', message, hint }];
}

async function printResult(
  context: CommandContext,
  file: string | null,
  { warnings, error }: CheckResult,
): Promise<void> {
  for (const warning of warnings) await printLine(context.stderr, `warning: ${warning}`);
  if (error) throw error;
  await printLine(
    context.stdout,
    file === null
      ? 'No config file found. The default settings are valid.'
      : `${file} is valid${describeWarnings(warnings.length)}.`,
  );
}

function describeWarnings(count: number): string {
  return count === 0 ? '' : `, with ${formatCount(count, 'warning')}`;
}

async function printResultJson(
  context: CommandContext,
  file: string | null,
  { warnings, error }: CheckResult,
): Promise<void> {
  await printJson(context, { ok: error === null, file, problems: error?.problems ?? [], warnings });
  if (error) throw new CommandError(`${formatProblemCount(error)} with the config.`, EXIT_CODE.usage);
}
