import type { Command } from 'commander';
import { formatSize } from '../base/units.ts';
import { totals } from '../uploads/list.ts';
import { example } from './help.ts';
import { withHouse } from './house.ts';
import { printJson, printLine } from './output.ts';
import type { Shell } from './shell.ts';

export function addStats(program: Command, shell: Shell): void {
  program
    .command('stats')
    .summary('what is here in all')
    .description('Files, bytes, owners, pending slots, and the room that is left.')
    .option('--json', 'print an object; sizes in bytes')
    .addHelpText('after', example('porter stats'))
    .action(async (options: { json?: boolean }, command: Command) => {
      await withHouse(shell, command, async (deps, config) => {
        const all = await totals(deps);
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
        return printLine(shell.out, lines.join('\n'));
      });
    });
}
