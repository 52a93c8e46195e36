import { type Command, InvalidArgumentError } from 'commander';
import { formatSize, parsePeriod } from '../base/units.ts';
import { type SweepReport, sweep } from '../uploads/sweep.ts';
import { example } from './help.ts';
import { withHouse } from './house.ts';
import { printJson, printLine, showProgress } from './output.ts';
import type { Shell } from './shell.ts';

interface Options {
  readonly dryRun?: boolean;
  readonly maxAge?: number;
  readonly json?: boolean;
}

export function addCleanup(program: Command, shell: Shell): void {
  program
    .command('cleanup')
    .summary('remove what has expired')
    .description(
      'One sweep now: unused slots, expired files, files above the soft quota. Safe beside a server.',
    )
    .option('--dry-run', 'tell what would go, and change nothing')
    .option('--max-age <period>', 'in place of retention.max_age, such as 30d', readPeriod)
    .option('--json', 'print the report as JSON')
    .addHelpText('after', example('porter cleanup --dry-run', 'porter cleanup --max-age 30d'))
    .action(async (options: Options, command: Command) => {
      await withHouse(shell, command, async (deps, { retention }) => {
        const progress = showProgress(shell, { title: 'removed' });
        const report = await sweep(deps, {
          dryRun: options.dryRun ?? false,
          keepRecords: retention.keep_records,
          ...(options.maxAge !== undefined && { maxAge: options.maxAge }),
          progress: (so) => progress.update(so.unused + so.expired + so.softQuota, formatSize(so.bytes)),
        }).finally(() => progress.end());
        await (options.json ? printJson(shell, report) : tell(shell, report, options.dryRun ?? false));
      });
    });
}

async function tell(shell: Shell, report: SweepReport, dryRun: boolean): Promise<void> {
  const did = dryRun ? 'would go' : 'removed';
  await printLine(shell.out, `${report.unused} unused slots ${did}`);
  await printLine(shell.out, `${report.expired} expired files ${did}`);
  await printLine(shell.out, `${report.softQuota} files above the soft quota ${did}`);
  await printLine(shell.out, `${formatSize(report.bytes)} ${dryRun ? 'would be free' : 'free again'}`);
}

function readPeriod(text: string): number {
  const period = parsePeriod(text);
  if (period === undefined) throw new InvalidArgumentError('Give a period such as 90s, 12h or 30d.');
  return period;
}
