import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Command } from 'commander';
import { renderConfigReference } from '../../config/reference.ts';
import type { CommandContext } from '../lib/command-context.ts';
import { errorReference } from '../lib/error-reference.ts';
import { formatExamples } from '../lib/help.ts';
import { printLine } from '../lib/output.ts';

/** The pages of `docs/` that are made from the code. */
export const generatedPages: Readonly<Record<string, () => string>> = {
  'config.md': renderConfigReference,
  'errors.md': errorReference,
};

const DOCS = join(import.meta.dirname, '../../../docs');

/** For those who work on Porter: `npm run docs`. */
export function addReference(program: Command, shell: CommandContext): void {
  program
    .command('reference', { hidden: true })
    .description('Writes the pages of docs/ that are made from the code.')
    .addHelpText('after', formatExamples('npm run docs'))
    .action(async () => {
      for (const [name, page] of Object.entries(generatedPages)) {
        await writeFile(join(DOCS, name), page());
        await printLine(shell.stdout, `docs/${name}`);
      }
    });
}
