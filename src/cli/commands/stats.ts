import type { Command } from 'commander';
import { formatCount, formatSize } from '../../base/units.ts';
import { readTotals } from '../../uploads/list.ts';
import type { CommandContext } from '../lib/command-context.ts';
import { formatExamples } from '../lib/help.ts';
import { printJson, printLine } from '../lib/output.ts';
import { withRuntime } from '../lib/with-runtime.ts';

export function addStats(program: Command, context: CommandContext): void {
  program
    .command('stats')
    .summary('show totals')
    .description('Shows totals: files, bytes, owners, pending slots, and free disk space.')
    .option('--json', 'print an object; sizes in bytes')
    .addHelpText('after', formatExamples('porter stats'))
    .action(async (options: { json?: boolean }, command: Command) => {
      await withRuntime(context, command, async (services, config) => {
        const totals = await readTotals(services);
        const { space } = totals;
        const quota = config.global_quota;
        if (options.json) return printJson(context, { ...totals, quota, space: space ?? null });
        const lines = [
          `stored   ${formatCount(totals.uploads, 'file')}, ${formatSize(totals.bytes)}`,
          `pending  ${formatCount(totals.pendingUploads, 'slot')}, ${formatSize(totals.pendingBytes)}`,
          `users    ${totals.owners}`,
          `removed  ${formatCount(totals.removals, 'file')} on record`,
          `quota    ${quota === null ? 'none' : formatSize(quota)}`,
          ...(space ? [`disk     ${formatSize(space.free)} free of ${formatSize(space.total)}`] : []),
        ];
        return printLine(context.stdout, lines.join('\n'));
      });
    });
}
