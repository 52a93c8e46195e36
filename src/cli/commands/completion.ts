import { Argument, type Command } from 'commander';
import type { CommandContext } from '../lib/command-context.ts';
import { completionShells, formatCompletion, type Shell } from '../lib/completion.ts';
import { formatExamples } from '../lib/help.ts';

export function addCompletion(program: Command, context: CommandContext): void {
  program
    .command('completion')
    .summary('print a completion script for your shell')
    .description(
      'Prints a script that completes commands, options and their values. The packages for Debian install these scripts.',
    )
    .addArgument(new Argument('<shell>', 'your shell').choices(completionShells))
    .addHelpText(
      'after',
      formatExamples(
        'porter completion bash > /etc/bash_completion.d/porter',
        'porter completion zsh > /usr/local/share/zsh/site-functions/_porter',
        'porter completion fish > ~/.config/fish/completions/porter.fish',
      ),
    )
    .action((shell: Shell) => {
      context.stdout.write(formatCompletion(shell, program));
    });
}
