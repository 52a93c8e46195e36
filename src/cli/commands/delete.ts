import type { Command } from 'commander';
import type { Removal, Upload } from '../../base/upload-records.ts';
import { describeEarlierRemoval, removeTargets } from '../../uploads/remove-by-link.ts';
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
    .description('Deletes uploads by id or link. Keeps a record of each, with the reason `deleted`.')
    .argument('<id...>', 'ids as printed by porter uploads, or download links')
    .option('--json', 'print the deleted and the unknown ids as JSON')
    .addHelpText('after', formatExamples('porter delete 5v1hq0cmvd0zjmf7w8h8k6f6ra'))
    .action(async (targets: string[], options: { json?: boolean }, command: Command) => {
      const work = (services: UploadServices) => deleteUploads(context, services, targets, options);
      await withRuntime(context, command, work, { writes: true });
    });
}

async function deleteUploads(
  context: CommandContext,
  services: UploadServices,
  targets: readonly string[],
  options: { json?: boolean },
): Promise<void> {
  const { uploads, removedBefore, unknown } = await removeTargets(
    services,
    targets,
    'deleted by porter delete',
  );
  if (options.json) await printJson(context, toJson(uploads, unknown, removedBefore));
  else {
    for (const { id, name } of uploads)
      await printLine(context.stdout, `${id} deleted: ${sanitizeForTerminal(name)}`);
  }
  const problems = [
    ...removedBefore.map((record) => sanitizeForTerminal(describeEarlierRemoval(record, services.clock()))),
    ...describeMissing(unknown),
  ];
  if (problems.length > 0) throw new CommandError(problems.join('\n'));
}

function toJson(uploads: readonly Upload[], missing: readonly string[], earlier: readonly Removal[]) {
  const removed = uploads.map(({ id }) => id);
  const removedBefore = earlier.map(({ id, reason, removedAt }) => ({
    id,
    reason,
    removed: new Date(removedAt).toISOString(),
  }));
  return { removed, missing, removedBefore };
}

function describeMissing(missing: readonly string[]): string[] {
  if (missing.length === 0) return [];
  return [`No such upload: ${missing.map(sanitizeForTerminal).join(', ')}. porter uploads lists all ids.`];
}
