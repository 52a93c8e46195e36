import type { Command } from 'commander';
import { remove } from '../uploads/remove.ts';
import { findTarget } from '../uploads/why.ts';
import { CommandFailure } from './fail.ts';
import { example } from './help.ts';
import { withHouse } from './house.ts';
import { printable, printJson, printLine } from './output.ts';
import type { Shell } from './shell.ts';

export function addDelete(program: Command, shell: Shell): void {
  program
    .command('delete')
    .summary('remove files')
    .description('Removes uploads by their ids or links. The record says that they were deleted.')
    .argument('<id...>', 'ids as porter uploads shows them, or download links')
    .option('--json', 'print what was removed as JSON')
    .addHelpText('after', example('porter delete 5v1hq0cmvd0zjmf7w8h8k6f6ra'))
    .action(async (targets: string[], options: { json?: boolean }, command: Command) => {
      await withHouse(shell, command, async (deps) => {
        const uploads = await Promise.all(targets.map((target) => findTarget(deps, target)));
        const ids = targets.map((target, at) => uploads[at]?.id ?? target);
        const removed = await remove(deps, { ids, reason: 'deleted', detail: 'deleted by porter delete' });
        const missing = ids.filter((id) => !removed.some((upload) => upload.id === id));
        if (options.json) await printJson(shell, { removed: removed.map(({ id }) => id), missing });
        else
          for (const { id, name } of removed) await printLine(shell.out, `${id} removed: ${printable(name)}`);
        if (missing.length > 0)
          throw new CommandFailure(`No such upload: ${missing.map(printable).join(', ')}.`);
      });
    });
}
