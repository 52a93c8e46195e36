import type { Command } from 'commander';
import { formatCount, formatSize } from '../../base/units.ts';
import type { Config } from '../../config/load.ts';
import { readTotals } from '../../uploads/list.ts';
import type { UploadServices } from '../../uploads/services.ts';
import { runSweep, type SweepReport } from '../../uploads/sweep.ts';
import type { CommandContext } from '../lib/command-context.ts';
import { formatExamples } from '../lib/help.ts';
import { requireForce } from '../lib/large-removal.ts';
import { parsePeriodOption } from '../lib/options.ts';
import { printJson, printLine } from '../lib/output.ts';
import { showProgress } from '../lib/progress.ts';
import { withRuntime } from '../lib/with-runtime.ts';

interface Options {
  readonly dryRun?: boolean;
  readonly maxAge?: number;
  readonly force?: boolean;
  readonly json?: boolean;
}

export function addCleanup(program: Command, context: CommandContext): void {
  program
    .command('cleanup')
    .summary('remove expired files')
    .description(
      'Runs one sweep now: removes unused slots, expired files, and files above the soft quota. Can run beside a server.',
    )
    .option('--dry-run', 'only report what would be removed')
    .option('--max-age <period>', 'replaces retention.max_age for this run, such as 30d', parsePeriodOption)
    .option('--force', 'with --max-age, remove more than 10 % of all files')
    .option('--json', 'print the report as JSON')
    .addHelpText('after', formatExamples('porter cleanup --dry-run', 'porter cleanup --max-age 30d'))
    .action(async (options: Options, command: Command) => {
      const dryRun = options.dryRun ?? false;
      const sweep = (services: UploadServices, config: Config) => cleanUp(context, options, services, config);
      await withRuntime(context, command, sweep, { writes: !dryRun });
    });
}

async function cleanUp(
  context: CommandContext,
  { dryRun = false, maxAge, force = false, json = false }: Options,
  services: UploadServices,
  { retention }: Config,
): Promise<void> {
  const settings = { keepRecords: retention.keep_records, ...(maxAge !== undefined && { maxAge }) };
  if (maxAge !== undefined && !dryRun && !force) {
    const { expired, softQuota } = await runSweep(services, { ...settings, dryRun: true });
    const { uploads } = await readTotals(services);
    requireForce(expired + softQuota, uploads, 'porter cleanup --force --max-age …');
  }
  const progress = showProgress(context, { title: dryRun ? 'to remove' : 'removed' });
  let done: SweepReport | undefined;
  const sweep = runSweep(services, {
    ...settings,
    dryRun,
    onProgress: ({ unused, expired, softQuota, bytes }) =>
      progress.update(unused + expired + softQuota, formatSize(bytes)),
    onDone: (report) => {
      done = report;
    },
  }).finally(() => progress.end());
  try {
    await sweep;
  } finally {
    if (done) await (json ? printJson(context, done) : printReport(context, done, dryRun));
  }
}

async function printReport({ stdout }: CommandContext, report: SweepReport, dryRun: boolean): Promise<void> {
  const verb = dryRun ? 'would be removed' : 'removed';
  await printLine(stdout, `${formatCount(report.unused, 'unused slot')} ${verb}`);
  await printLine(stdout, `${formatCount(report.expired, 'expired file')} ${verb}`);
  await printLine(stdout, `${formatCount(report.softQuota, 'file')} above the soft quota ${verb}`);
  await printLine(stdout, `${formatSize(report.bytes)} ${dryRun ? 'would be freed' : 'freed'}`);
}
