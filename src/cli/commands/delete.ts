import type { Command } from 'commander';
import { findByLinkOrId } from '../../uploads/explain.ts';
import { removeUploads } from '../../uploads/remove.ts';
import type { CommandContext } from '../lib/command-context.ts';
import { CommandError } from '../lib/command-error.ts';
import { formatExamples } from '../lib/help.ts';
import { printJson, printLine, sanitizeForTerminal } from '../lib/output.ts';
import { withRuntime } from '../lib/with-runtime.ts';

export function addDelete(program: Command, shell: CommandContext): void {
  program
    .command('delete')
    .summary('remove files')
    .description('Removes uploads by their ids or links. The record says that they were deleted.')
    .argument('<id...>', 'ids as porter uploads shows them, or download links')
    .option('--json', 'print what was removed as JSON')
    .addHelpText('after', formatExamples('porter delete 5v1hq0cmvd0zjmf7w8h8k6f6ra'))
    .action(async (targets: string[], options: { json?: boolean }, command: Command) => {
      await withRuntime(shell, command, async (deps) => {
        const uploads = await Promise.all(targets.map((target) => findByLinkOrId(deps, target)));
        const ids = targets.map((target, at) => uploads[at]?.id ?? target);
        const removed = await removeUploads(deps, {
          ids,
          reason: 'deleted',
          detail: 'deleted by porter delete',
        });
        const missing = ids.filter((id) => !removed.some((upload) => upload.id === id));
        if (options.json) await printJson(shell, { removed: removed.map(({ id }) => id), missing });
        else
          for (const { id, name } of removed)
            await printLine(shell.stdout, `${id} removed: ${sanitizeForTerminal(name)}`);
        if (missing.length > 0)
          throw new CommandError(`No such upload: ${missing.map(sanitizeForTerminal).join(', ')}.`);
      });
    });
}
