import type { Command } from 'commander';
import { systemClock } from '../../base/clock.ts';
import { createLog } from '../../base/log.ts';
import { trustSystemCertificates } from '../../base/system-resources.ts';
import { formatCount } from '../../base/units.ts';
import type { Config } from '../../config/load.ts';
import { networkLedgerWarnings } from '../../config/network-file-system.ts';
import type { TestAccount } from '../../doctor/accounts.ts';
import { DoctorReport, type Finding, type FindingState } from '../../doctor/report.ts';
import { runChecks } from '../../doctor/run-checks.ts';
import { messageOptionsOf, toAccountSettings } from '../../server/messaging.ts';
import { openRuntime, type Runtime } from '../../server/runtime.ts';
import { readPassword } from '../lib/api-access.ts';
import type { CommandContext } from '../lib/command-context.ts';
import { CommandError, formatErrorMessage, usageError } from '../lib/command-error.ts';
import { findConfigFile, loadCommandConfig } from '../lib/config-file.ts';
import { formatExamples } from '../lib/help.ts';
import { parseJidOption, parseSizeOption, parseUrlOption } from '../lib/options.ts';
import { printJson, printLine, sanitizeForTerminal } from '../lib/output.ts';
import { withStopSignal } from '../lib/signals.ts';
import { requireExistingLedger } from '../lib/with-runtime.ts';

interface Options {
  readonly json?: boolean;
  readonly url?: string;
  readonly minFree?: number;
  readonly account?: string;
  readonly passwordFile?: string;
}

export function addDoctor(program: Command, context: CommandContext): void {
  program
    .command('doctor')
    .summary('test the running system from outside')
    .description(
      'Checks config, storage and the XMPP server. Then uploads, downloads and removes test files through public_url. ' +
        'Prints each problem with its remedy. Leaves no data behind. Exit code 0, 1 if a check failed, or 2.',
    )
    .option('--url <url>', 'the address that clients use, instead of public_url', parseUrlOption)
    .option('--min-free <size>', 'required free disk space, such as 50 GiB', parseSizeOption)
    .option('--account <jid>', 'XMPP account for a login and a message to itself', parseJidOption)
    .option(
      '--password-file <file>',
      'file with its password, - for standard input (default: PORTER_PASSWORD or a prompt)',
    )
    .option('--json', 'print the findings as JSON')
    .addHelpText(
      'after',
      formatExamples(
        'porter doctor',
        'porter doctor -c /etc/porter/porter.yml --json',
        'porter doctor --account romeo@example.org --password-file /etc/porter/romeo.password',
      ),
    )
    .action(async (options: Options, command: Command) => {
      const config = await loadCommandConfig(context, command);
      const account = await readTestAccount(context, config, options);
      const report = new DoctorReport((finding) => {
        if (!options.json) context.stdout.write(`${formatFinding(finding)}\n`);
      });
      reportConfig(report, findConfigFile(context, command), config);
      trustSystemCertificates();
      await diagnose(report, config, options, account);
      await printSummary(context, report, options.json ?? false);
    });
}

async function readTestAccount(
  context: CommandContext,
  config: Config,
  { account: jid, passwordFile }: Options,
): Promise<TestAccount | undefined> {
  if (jid === undefined) {
    if (passwordFile !== undefined) throw usageError('--password-file needs --account.');
    return undefined;
  }
  if (messageOptionsOf(config) === null)
    throw usageError('--account needs the section messages or web in the config.');
  return { jid, password: await readPassword(context, jid, passwordFile) };
}

function reportConfig(report: DoctorReport, file: string | undefined, config: Config): void {
  report.ok(
    'config',
    file === undefined ? 'No config file found; the default settings are used.' : `${file} is valid.`,
  );
  for (const warning of [...config.warnings, ...networkLedgerWarnings(config)])
    report.warn('config', warning);
}

async function diagnose(
  report: DoctorReport,
  config: Config,
  { url, minFree }: Options,
  account: TestAccount | undefined,
): Promise<void> {
  const runtime = await openStorage(report, config);
  const messages = messageOptionsOf(config);
  const interrupted = new Error('interrupted');
  try {
    await withStopSignal(interrupted, (signal) =>
      runChecks(report, {
        config,
        services: runtime?.services,
        url,
        minFree,
        accounts: messages ? { settings: toAccountSettings(config, messages), account } : undefined,
        now: systemClock,
        signal,
      }),
    );
  } catch (error) {
    // The earlier findings are kept, because one of them may be the cause, such as a full disk.
    if (error === interrupted) throw error;
    report.fail('doctor', `The checks ended early: ${formatErrorMessage(error, '')}`);
  } finally {
    await runtime
      ?.close()
      .catch((error) =>
        report.warn('doctor', `Cannot close the storage properly: ${formatErrorMessage(error, '')}`),
      );
  }
}

/** Opens the storage. Returns undefined if that fails. Then only the checks that need no storage run. */
async function openStorage(report: DoctorReport, config: Config): Promise<Runtime | undefined> {
  try {
    requireExistingLedger(config);
    return await openRuntime(config, createLog({ level: 'silent', format: 'json' }));
  } catch (error) {
    report.fail('stores', `Cannot open the storage: ${formatErrorMessage(error, '')}`);
    return undefined;
  }
}

const STATE_LABELS: Record<FindingState, string> = { ok: 'ok  ', warn: 'WARN', fail: 'FAIL', skip: '-   ' };

function formatFinding({ check, state, text }: Finding): string {
  return sanitizeForTerminal(`${STATE_LABELS[state]}  ${check}: ${text}`);
}

async function printSummary(
  context: CommandContext,
  { findings }: DoctorReport,
  json: boolean,
): Promise<void> {
  const count = (state: FindingState) => findings.filter((finding) => finding.state === state).length;
  const failed = count('fail');
  if (json) await printJson(context, { ok: failed === 0, findings });
  else if (failed === 0) {
    const warnings = count('warn');
    await printLine(
      context.stdout,
      `\nAll checks passed${warnings > 0 ? `, with ${formatCount(warnings, 'warning')}` : ''}.`,
    );
  }
  if (failed > 0) throw new CommandError(`${failed} of ${formatCount(findings.length, 'check')} failed.`);
}
