import type { Command } from 'commander';
import { formatDateTime } from '../../base/clock.ts';
import type { Removal } from '../../base/upload-records.ts';
import { findByLinkOrId, findRemovalByLinkOrId } from '../../uploads/explain/explain.ts';
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
  const found = await Promise.all(targets.map((target) => findByLinkOrId(services, target)));
  const ids = targets.map((target, index) => found[index]?.id ?? target);
  const detail = 'deleted by porter delete';
  const removed = await removeUploads(services, { ids, reason: 'deleted', detail });
  const removedIds = removed.map(({ id }) => id);
  const left = targets.filter((_, index) => !removedIds.includes(ids[index] ?? ''));
  const records = await Promise.all(left.map((target) => findRemovalByLinkOrId(services, target)));
  const missing = left.filter((_, index) => !records[index]);
  const earlier = records.filter((record) => record !== undefined);
  if (options.json) await printJson(context, toJson(removedIds, missing, earlier));
  else {
    for (const { id, name } of removed)
      await printLine(context.stdout, `${id} deleted: ${sanitizeForTerminal(name)}`);
  }
  const problems = [...earlier.map(describeRemoval), ...describeMissing(missing)];
  if (problems.length > 0) throw new CommandError(problems.join('\n'));
}

function toJson(removed: readonly string[], missing: readonly string[], earlier: readonly Removal[]) {
  const removedBefore = earlier.map(({ id, reason, removedAt }) => ({
    id,
    reason,
    removed: new Date(removedAt).toISOString(),
  }));
  return { removed, missing, removedBefore };
}

function describeRemoval({ id, name, reason, detail, removedAt }: Removal): string {
  const cause = detail === '' ? reason : detail;
  const file = name === '' ? id : `${id} ("${name}")`;
  return sanitizeForTerminal(`${file} was removed before, at ${formatDateTime(removedAt)}: ${cause}.`);
}

function describeMissing(missing: readonly string[]): string[] {
  if (missing.length === 0) return [];
  return [`No such upload: ${missing.map(sanitizeForTerminal).join(', ')}. porter uploads lists all ids.`];
}
