import type { Command } from 'commander';
import { resolveOwner } from '../../uploads/list.ts';
import { eraseOwner } from '../../uploads/remove.ts';
import type { UploadServices } from '../../uploads/services.ts';
import type { CommandContext } from '../lib/command-context.ts';
import { CommandError } from '../lib/command-error.ts';
import { formatExamples } from '../lib/help.ts';
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
    .option('--json', 'print the number of removed uploads as JSON')
    .addHelpText('after', formatExamples('porter forget romeo@example.org'))
    .action(async (owner: string, options: { json?: boolean }, command: Command) => {
      const forget = async (services: UploadServices) => {
        const other = await resolveOwner(services, owner);
        if (other !== owner) {
          throw new CommandError(
            `No data of ${owner} found. The XMPP server may call this account ${other}. Then run: porter forget ${other}`,
          );
        }
        const progress = showProgress(context, { title: 'removed' });
        const removed = await eraseOwner(services, owner, (done, left) =>
          progress.update(done, `${left} left`),
        ).finally(() => progress.end());
        if (options.json) return printJson(context, { owner, removed });
        return printLine(context.stdout, `All data of ${owner} is removed: ${removed} uploads.`);
      };
      await withRuntime(context, command, forget, { writes: true });
    });
}
