import type { Command } from 'commander';
import { unblockFile } from '../../../uploads/content/block.ts';
import type { CommandContext } from '../../lib/command-context.ts';
import { CommandError } from '../../lib/command-error.ts';
import { formatExamples } from '../../lib/help.ts';
import { printLine, sanitizeForTerminal } from '../../lib/output.ts';
import { withRuntime } from '../../lib/with-runtime.ts';
import { recordCommand } from './audit.ts';

export function addUnblock(program: Command, context: CommandContext): void {
  program
    .command('unblock')
    .summary('accept a blocked file again')
    .description('Unblocks files, so that they can be uploaded again.')
    .argument('<sha256...>', 'as printed by porter block')
    .addHelpText(
      'after',
      formatExamples('porter unblock 275a021bbfb6489e54d471899f7db9d1663fc695ec2fe2a2c4538aabf651fd0f'),
    )
    .action(async (hashes: string[], _options: object, command: Command) => {
      await withRuntime(
        context,
        command,
        async (services) => {
          const by = 'porter unblock';
          const unknown: string[] = [];
          for (const sha256 of hashes) {
            if (!(await unblockFile(services, { sha256, by }))) {
              unknown.push(sha256);
              continue;
            }
            await recordCommand(services, {
              actor: by,
              action: 'unblock_file',
              subject: sha256,
              files: 0,
              bytes: 0,
            });
            await printLine(context.stdout, `${sha256} unblocked`);
          }
          if (unknown.length > 0)
            throw new CommandError(
              `Not blocked: ${unknown.map(sanitizeForTerminal).join(', ')}. porter block lists all hashes.`,
            );
        },
        { writes: true },
      );
    });
}
