import type { Command } from 'commander';
import { systemClock } from '../../base/clock.ts';
import { createLog } from '../../base/log.ts';
import { trustSystemCertificates } from '../../base/system-resources.ts';
import { formatCount } from '../../base/units.ts';
import { assertSupportedFeatures, supportedFeatures } from '../../config/features.ts';
import type { Config } from '../../config/load.ts';
import { networkLedgerWarnings } from '../../config/network-file-system.ts';
import { DoctorReport, type Finding, type FindingState } from '../../doctor/report.ts';
import { runChecks } from '../../doctor/run-checks.ts';
import { openRuntime, type Runtime } from '../../server/runtime.ts';
import type { CommandContext } from '../lib/command-context.ts';
import { CommandError, formatErrorMessage } from '../lib/command-error.ts';
import { findConfigFile, loadCommandConfig } from '../lib/config-file.ts';
import { formatExamples } from '../lib/help.ts';
import { parseSizeOption, parseUrlOption } from '../lib/options.ts';
import { printJson, printLine, sanitizeForTerminal } from '../lib/output.ts';
import { withStopSignal } from '../lib/signals.ts';
import { requireExistingLedger } from '../lib/with-runtime.ts';

interface Options {
  readonly json?: boolean;
  readonly url?: string;
  readonly minFree?: number;
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
    .option('--json', 'print the findings as JSON')
    .addHelpText('after', formatExamples('porter doctor', 'porter doctor -c /etc/porter/porter.yml --json'))
    .action(async (options: Options, command: Command) => {
      const config = await loadCommandConfig(context, command);
      assertSupportedFeatures(config, supportedFeatures);
      const report = new DoctorReport((finding) => {
        if (!options.json) context.stdout.write(`${formatFinding(finding)}\n`);
      });
      reportConfig(report, findConfigFile(context, command), config);
      trustSystemCertificates();
      await diagnose(report, config, options);
      await printSummary(context, report, options.json ?? false);
    });
}

function reportConfig(report: DoctorReport, file: string | undefined, config: Config): void {
  report.ok(
    'config',
    file === undefined ? 'No config file found; the default settings are used.' : `${file} is valid.`,
  );
  for (const warning of [...config.warnings, ...networkLedgerWarnings(config)])
    report.warn('config', warning);
}

async function diagnose(report: DoctorReport, config: Config, { url, minFree }: Options): Promise<void> {
  const runtime = await openStorage(report, config);
  const interrupted = new Error('interrupted');
  try {
    await withStopSignal(interrupted, (signal) =>
      runChecks(report, { config, services: runtime?.services, url, minFree, now: systemClock, signal }),
    );
  } catch (error) {
    // The findings so far are printed nevertheless: on a full disk, one of them is the cause.
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

/** Returns undefined if the storage cannot be opened. The checks that need no storage run nevertheless. */
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
