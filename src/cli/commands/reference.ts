import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Command } from 'commander';
import { renderConfigReference } from '../../config/reference.ts';
import type { CommandContext } from '../lib/command-context.ts';
import { commandReference } from '../lib/command-reference.ts';
import { errorReference } from '../lib/error-reference.ts';
import { formatExamples } from '../lib/help.ts';
import { printLine } from '../lib/output.ts';

/** The pages of `docs/` that are generated from the code. `program` is the command line with all commands. */
export const generatedPages: Readonly<Record<string, (program: Command) => string>> = {
  'commands.md': commandReference,
  'config.md': renderConfigReference,
  'errors.md': errorReference,
};

const DOCS = join(import.meta.dirname, '../../../docs');

/** A command for contributors: `npm run docs`. */
export function addReference(program: Command, context: CommandContext): void {
  program
    .command('reference', { hidden: true })
    .description('Writes the generated pages of docs/.')
    .addHelpText('after', formatExamples('npm run docs'))
    .action(async () => {
      for (const [name, renderPage] of Object.entries(generatedPages)) {
        await writeFile(join(DOCS, name), renderPage(program));
        await printLine(context.stdout, `docs/${name}`);
      }
    });
}
