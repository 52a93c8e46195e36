import type { Command } from 'commander';
import { forget } from '../uploads/remove.ts';
import { example } from './help.ts';
import { withHouse } from './house.ts';
import { printJson, printLine, showProgress } from './output.ts';
import type { Shell } from './shell.ts';
import { readJid } from './uploads.ts';

export function addForget(program: Command, shell: Shell): void {
  program
    .command('forget')
    .summary('remove all that a JID ever uploaded')
    .description("Removes all of an owner's files and slots, its counters, and its name from every record.")
    .argument('<jid>', 'the owner', readJid)
    .option('--json', 'print the number of removed uploads as JSON')
    .addHelpText('after', example('porter forget romeo@example.org'))
    .action(async (owner: string, options: { json?: boolean }, command: Command) => {
      await withHouse(shell, command, async (deps) => {
        const progress = showProgress(shell, { title: 'removed' });
        const removed = await forget(deps, owner, (so, left) => progress.update(so, `${left} left`)).finally(
          () => progress.end(),
        );
        if (options.json) return printJson(shell, { owner, removed });
        return printLine(shell.out, `${owner} is forgotten: ${removed} uploads removed.`);
      });
    });
}
