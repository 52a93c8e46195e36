import type { Command } from 'commander';
import { eraseOwner } from '../../uploads/remove.ts';
import type { CommandContext } from '../lib/command-context.ts';
import { formatExamples } from '../lib/help.ts';
import { printJson, printLine, showProgress } from '../lib/output.ts';
import { withRuntime } from '../lib/with-runtime.ts';
import { parseJidOption } from './uploads.ts';

export function addForget(program: Command, shell: CommandContext): void {
  program
    .command('forget')
    .summary('remove all that a JID ever uploaded')
    .description("Removes all of an owner's files and slots, its counters, and its name from every record.")
    .argument('<jid>', 'the owner', parseJidOption)
    .option('--json', 'print the number of removed uploads as JSON')
    .addHelpText('after', formatExamples('porter forget romeo@example.org'))
    .action(async (owner: string, options: { json?: boolean }, command: Command) => {
      await withRuntime(shell, command, async (deps) => {
        const progress = showProgress(shell, { title: 'removed' });
        const removed = await eraseOwner(deps, owner, (so, left) =>
          progress.update(so, `${left} left`),
        ).finally(() => progress.end());
        if (options.json) return printJson(shell, { owner, removed });
        return printLine(shell.stdout, `${owner} is forgotten: ${removed} uploads removed.`);
      });
    });
}
