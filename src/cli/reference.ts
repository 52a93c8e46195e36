import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Command } from 'commander';
import { configReference } from '../config/reference.ts';
import { errorPage } from './error-page.ts';
import { example } from './help.ts';
import { printLine } from './output.ts';
import type { Shell } from './shell.ts';

/** The pages of `docs/` that are made from the code. */
export const pages: Readonly<Record<string, () => string>> = {
  'config.md': configReference,
  'errors.md': errorPage,
};

const DOCS = join(import.meta.dirname, '../../docs');

/** For those who work on Porter: `npm run docs`. */
export function addReference(program: Command, shell: Shell): void {
  program
    .command('reference', { hidden: true })
    .description('Writes the pages of docs/ that are made from the code.')
    .addHelpText('after', example('npm run docs'))
    .action(async () => {
      for (const [name, page] of Object.entries(pages)) {
        await writeFile(join(DOCS, name), page());
        await printLine(shell.out, `docs/${name}`);
      }
    });
}
