import { type Command, InvalidArgumentError } from 'commander';
import { formatSize, parsePeriod } from '../../base/units.ts';
import { runSweep, type SweepReport } from '../../uploads/sweep.ts';
import type { CommandContext } from '../lib/command-context.ts';
import { formatExamples } from '../lib/help.ts';
import { printJson, printLine, showProgress } from '../lib/output.ts';
import { withRuntime } from '../lib/with-runtime.ts';

interface Options {
  readonly dryRun?: boolean;
  readonly maxAge?: number;
  readonly json?: boolean;
}

export function addCleanup(program: Command, shell: CommandContext): void {
  program
    .command('cleanup')
    .summary('remove what has expired')
    .description(
      'One sweep now: unused slots, expired files, files above the soft quota. Safe beside a server.',
    )
    .option('--dry-run', 'tell what would go, and change nothing')
    .option('--max-age <period>', 'in place of retention.max_age, such as 30d', readPeriod)
    .option('--json', 'print the report as JSON')
    .addHelpText('after', formatExamples('porter cleanup --dry-run', 'porter cleanup --max-age 30d'))
    .action(async (options: Options, command: Command) => {
      await withRuntime(shell, command, async (deps, { retention }) => {
        const progress = showProgress(shell, { title: 'removed' });
        const report = await runSweep(deps, {
          dryRun: options.dryRun ?? false,
          keepRecords: retention.keep_records,
          ...(options.maxAge !== undefined && { maxAge: options.maxAge }),
          onProgress: (so) => progress.update(so.unused + so.expired + so.softQuota, formatSize(so.bytes)),
        }).finally(() => progress.end());
        await (options.json ? printJson(shell, report) : tell(shell, report, options.dryRun ?? false));
      });
    });
}

async function tell(shell: CommandContext, report: SweepReport, dryRun: boolean): Promise<void> {
  const did = dryRun ? 'would go' : 'removed';
  await printLine(shell.stdout, `${report.unused} unused slots ${did}`);
  await printLine(shell.stdout, `${report.expired} expired files ${did}`);
  await printLine(shell.stdout, `${report.softQuota} files above the soft quota ${did}`);
  await printLine(shell.stdout, `${formatSize(report.bytes)} ${dryRun ? 'would be free' : 'free again'}`);
}

function readPeriod(text: string): number {
  const period = parsePeriod(text);
  if (period === undefined) throw new InvalidArgumentError('Give a period such as 90s, 12h or 30d.');
  return period;
}
