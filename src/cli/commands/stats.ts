import type { Command } from 'commander';
import { formatSize } from '../../base/units.ts';
import { readTotals } from '../../uploads/list.ts';
import type { CommandContext } from '../lib/command-context.ts';
import { formatExamples } from '../lib/help.ts';
import { printJson, printLine } from '../lib/output.ts';
import { withRuntime } from '../lib/with-runtime.ts';

export function addStats(program: Command, shell: CommandContext): void {
  program
    .command('stats')
    .summary('what is here in all')
    .description('Files, bytes, owners, pending slots, and the room that is left.')
    .option('--json', 'print an object; sizes in bytes')
    .addHelpText('after', formatExamples('porter stats'))
    .action(async (options: { json?: boolean }, command: Command) => {
      await withRuntime(shell, command, async (deps, config) => {
        const all = await readTotals(deps);
        const { space } = all;
        const quota = config.global_quota;
        if (options.json) return printJson(shell, { ...all, quota, space: space ?? null });
        const lines = [
          `files    ${all.uploads}, ${formatSize(all.bytes)}`,
          `pending  ${all.pendingUploads} slots, ${formatSize(all.pendingBytes)}`,
          `owners   ${all.owners}`,
          `removed  ${all.removals} on record`,
          `quota    ${quota === null ? 'none' : formatSize(quota)}`,
          ...(space ? [`disk     ${formatSize(space.free)} free of ${formatSize(space.total)}`] : []),
        ];
        return printLine(shell.stdout, lines.join('\n'));
      });
    });
}
