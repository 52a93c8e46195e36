import type { Command } from 'commander';
import { formatCount, formatSize } from '../../base/units.ts';
import {
  hasData,
  iterateOwners,
  readTotals,
  readUsage,
  resolveOwner,
  type Usage,
} from '../../uploads/list.ts';
import { eraseOwner } from '../../uploads/remove.ts';
import type { UploadServices } from '../../uploads/services.ts';
import type { CommandContext } from '../lib/command-context.ts';
import { CommandError } from '../lib/command-error.ts';
import { formatExamples } from '../lib/help.ts';
import { requireForce } from '../lib/large-removal.ts';
import { parseJidOption } from '../lib/options.ts';
import { printJson, printLine } from '../lib/output.ts';
import { showProgress } from '../lib/progress.ts';
import { withRuntime } from '../lib/with-runtime.ts';

export function addForget(program: Command, context: CommandContext): void {
  program
    .command('forget')
    .summary('remove all data of a user')
    .description('Removes all files and slots of a user, the quota counters, and the JID from all records.')
    .argument('<jid>', 'the user', parseJidOption)
    .option('--dry-run', 'only report what would be removed')
    .option('--force', 'remove more than 10 % of all files')
    .option('--json', 'print the number of removed uploads as JSON')
    .addHelpText('after', formatExamples('porter forget romeo@example.org'))
    .action(async (owner: string, options: Options, command: Command) => {
      const work = (services: UploadServices) => forget(context, services, owner, options);
      await withRuntime(context, command, work, { writes: !options.dryRun });
    });
}

interface Options {
  readonly dryRun?: boolean;
  readonly force?: boolean;
  readonly json?: boolean;
}

async function forget(
  context: CommandContext,
  services: UploadServices,
  owner: string,
  { dryRun = false, force = false, json = false }: Options,
): Promise<void> {
  const other = await resolveOwner(services, owner);
  if (other !== owner) {
    throw new CommandError(
      `No data of ${owner} found. The XMPP server may call this account ${other}. Then run: porter forget ${other}`,
    );
  }
  const isKnown = await hasData(services, owner);
  const usage = await readUsage(services, owner);
  if (dryRun) return await printUsage(context, owner, usage, json);
  if (!force)
    requireForce(usage.uploads, (await readTotals(services)).uploads, `porter forget --force ${owner}`);
  const progress = showProgress(context, { title: 'removed' });
  const removed = await eraseOwner(services, owner, (done, left) =>
    progress.update(done, `${left} left`),
  ).finally(() => progress.end());
  if (!isKnown) throw new CommandError(await describeUnknownOwner(services, owner));
  if (json) await printJson(context, { owner, removed });
  else await printLine(context.stdout, `All data of ${owner} is removed: ${formatCount(removed, 'upload')}.`);
}

async function printUsage(
  context: CommandContext,
  owner: string,
  { uploads, bytes, pendingUploads }: Usage,
  json: boolean,
): Promise<void> {
  if (json) return printJson(context, { owner, dryRun: true, uploads, bytes, pendingUploads });
  await printLine(
    context.stdout,
    `${formatCount(uploads, 'file')} of ${owner} (${formatSize(bytes)}) and ${formatCount(pendingUploads, 'pending slot')} ` +
      'would be removed.',
  );
}

/** Returns an error text for an owner without data. Queued messages of this owner have been removed nevertheless. */
async function describeUnknownOwner(services: UploadServices, owner: string): Promise<string> {
  const text = `No files of ${owner} found.`;
  if (owner.includes('@')) return `${text} porter users lists all users.`;
  for await (const usage of iterateOwners(services)) {
    if (usage.owner.startsWith(`${owner}@`))
      return `${text} Give the whole JID, for example: porter forget ${usage.owner}`;
  }
  return `${text} Give the whole JID, such as ${owner}@example.org. porter users lists all users.`;
}
