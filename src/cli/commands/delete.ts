import type { Command } from 'commander';
import { findByLinkOrId } from '../../uploads/explain.ts';
import { removeUploads } from '../../uploads/remove.ts';
import type { UploadServices } from '../../uploads/services.ts';
import type { CommandContext } from '../lib/command-context.ts';
import { CommandError } from '../lib/command-error.ts';
import { formatExamples } from '../lib/help.ts';
import { printJson, printLine, sanitizeForTerminal } from '../lib/output.ts';
import { withRuntime } from '../lib/with-runtime.ts';

export function addDelete(program: Command, context: CommandContext): void {
  program
    .command('delete')
    .summary('delete files')
    .description('Deletes uploads by id or link. Their records stay, with the reason `deleted`.')
    .argument('<id...>', 'ids as printed by porter uploads, or download links')
    .option('--json', 'print the deleted and the unknown ids as JSON')
    .addHelpText('after', formatExamples('porter delete 5v1hq0cmvd0zjmf7w8h8k6f6ra'))
    .action(async (targets: string[], options: { json?: boolean }, command: Command) => {
      const deleteUploads = async (services: UploadServices) => {
        const uploads = await Promise.all(targets.map((target) => findByLinkOrId(services, target)));
        const ids = targets.map((target, index) => uploads[index]?.id ?? target);
        const removed = await removeUploads(services, {
          ids,
          reason: 'deleted',
          detail: 'deleted by porter delete',
        });
        const missing = ids.filter((id) => !removed.some((upload) => upload.id === id));
        if (options.json) await printJson(context, { removed: removed.map(({ id }) => id), missing });
        else {
          for (const { id, name } of removed) {
            await printLine(context.stdout, `${id} deleted: ${sanitizeForTerminal(name)}`);
          }
        }
        if (missing.length > 0) {
          throw new CommandError(
            `No such upload: ${missing.map(sanitizeForTerminal).join(', ')}. porter uploads lists all ids.`,
          );
        }
      };
      await withRuntime(context, command, deleteUploads, { writes: true });
    });
}
