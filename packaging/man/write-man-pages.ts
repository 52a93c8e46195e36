import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { allCommands } from '../../src/cli/all-commands.ts';
import { generatedPages } from '../../src/cli/commands/reference.ts';
import { createProcessContext } from '../../src/cli/lib/command-context.ts';
import { completionShells, formatCompletion, type Shell } from '../../src/cli/lib/completion.ts';
import { createProgram } from '../../src/cli/program.ts';
import { type ManPage, markdownToMan } from './markdown-to-man.ts';

/** The path of the completion script of each shell, below /usr/share. */
const COMPLETIONS: Record<Shell, string> = {
  bash: 'bash-completion/completions/porter',
  zsh: 'zsh/vendor-completions/_porter',
  fish: 'fish/vendor_completions.d/porter.fish',
};

/** Returns the man pages as troff, by file name. `date` is `YYYY-MM-DD`. */
export function createManPages(version: string, date: string): Record<string, string> {
  const program = createProgram(createProcessContext(), allCommands);
  const page = (source: string, head: Pick<ManPage, 'name' | 'section' | 'summary'>) =>
    markdownToMan({ ...head, version, date }, generatedPages[source]?.(program) ?? '');
  return {
    'porter.1': page('commands.md', { name: 'porter', section: 1, summary: program.description() }),
    'porter.yml.5': page('config.md', { name: 'porter.yml', section: 5, summary: 'configuration of porter' }),
  };
}

/** Writes man pages (not compressed) and completion scripts below `share`, which becomes /usr/share. */
export function writeManAndCompletions(share: string, version: string, date: string): void {
  for (const [file, text] of Object.entries(createManPages(version, date))) {
    write(join(share, 'man', `man${file.at(-1)}`, file), text);
  }
  const program = createProgram(createProcessContext(), allCommands);
  for (const shell of completionShells)
    write(join(share, COMPLETIONS[shell]), formatCompletion(shell, program));
}

function write(file: string, text: string): void {
  mkdirSync(join(file, '..'), { recursive: true });
  writeFileSync(file, text);
}
