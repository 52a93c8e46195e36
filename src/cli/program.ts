import { Command } from 'commander';
import { description, version } from '../base/package-files.ts';
import type { AddCommand } from './all-commands.ts';
import { addServe } from './commands/serve.ts';
import type { CommandContext } from './lib/command-context.ts';
import { reportCommandError } from './lib/command-error.ts';

/** Runs a command line, without `node` and the script, and returns its exit code. Never rejects. */
export async function runCommandLine(args: readonly string[], context: CommandContext): Promise<number> {
  try {
    const program = createProgram(context, await loadCommands(args));
    await program.parseAsync(withoutHelpOfUnknown(program, args), { from: 'user' });
    return 0;
  } catch (error) {
    return reportCommandError(context, error);
  }
}

/** Returns the commands to load. To save memory, the server loads no other command than `serve`. */
async function loadCommands([name]: readonly string[]): Promise<readonly AddCommand[]> {
  if (name === 'serve') return [addServe];
  const { allCommands } = await import('./all-commands.ts');
  return allCommands;
}

/**
 * Returns the arguments without the request for help if they name an unknown command. Otherwise commander would print the help of the
 * program instead of an error.
 */
function withoutHelpOfUnknown(program: Command, args: readonly string[]): readonly string[] {
  const words = args[0] === 'help' ? args.slice(1) : args;
  const [name] = words;
  const asksForHelp = words !== args || args.includes('--help') || args.includes('-h');
  if (name === undefined || name.startsWith('-') || !asksForHelp) return args;
  const isKnown = name === 'help' || program.commands.some((command) => command.name() === name);
  return isKnown ? args : [name];
}

export function createProgram(context: CommandContext, commands: readonly AddCommand[]): Command {
  const program = new Command('porter')
    .description(description)
    .version(version, '-V, --version', 'print the version')
    .helpOption('-h, --help', 'print help')
    .helpCommand('help [command]', 'print help for a command')
    .option(
      '-c, --config <file>',
      'config file (default: PORTER_CONFIG, or porter.yml in the current folder)',
    )
    .configureHelp({ showGlobalOptions: true })
    .configureOutput({
      writeOut: (text) => context.stdout.write(text),
      writeErr: (text) => context.stderr.write(text),
      getOutHelpWidth: () => context.stdout.columns ?? 80,
      getErrHelpWidth: () => context.stderr.columns ?? 80,
    })
    .showHelpAfterError('(porter --help lists all commands)')
    .exitOverride()
    .addHelpText('after', '\nExit codes: 0 done, 1 failed, 2 wrong usage or config.');
  for (const add of commands) add(program, context);
  for (const command of program.commands)
    command.showHelpAfterError(`(porter ${command.name()} --help explains its options)`);
  return program;
}
