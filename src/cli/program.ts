import { Command } from 'commander';
import { description, version } from '../base/package-files.ts';
import { addBackup } from './commands/backup.ts';
import { addCheck } from './commands/check.ts';
import { addCleanup } from './commands/cleanup.ts';
import { addCompletion } from './commands/completion.ts';
import { addBlock } from './commands/content/block.ts';
import { addQuarantine } from './commands/content/quarantine.ts';
import { addUnblock } from './commands/content/unblock.ts';
import { addDelete } from './commands/delete.ts';
import { addDoctor } from './commands/doctor.ts';
import { addForget } from './commands/forget.ts';
import { addFsck } from './commands/fsck.ts';
import { addHealth } from './commands/health.ts';
import { addImport } from './commands/import.ts';
import { addInit } from './commands/init.ts';
import { addMove } from './commands/move.ts';
import { addReference } from './commands/reference.ts';
import { addRestore } from './commands/restore.ts';
import { addSend } from './commands/send.ts';
import { addServe } from './commands/serve.ts';
import { addStats } from './commands/stats.ts';
import { addUploads } from './commands/uploads.ts';
import { addUsers } from './commands/users.ts';
import { addWhy } from './commands/why.ts';
import type { CommandContext } from './lib/command-context.ts';
import { reportCommandError } from './lib/command-error.ts';

/** Adds one command to the program. Each file of `commands/` exports such a function. */
export type AddCommand = (program: Command, context: CommandContext) => void;

/** In the order in which `porter --help` lists them. */
const commands: readonly AddCommand[] = [
  addInit,
  addCheck,
  addServe,
  addDoctor,
  addHealth,
  addCleanup,
  addUploads,
  addUsers,
  addStats,
  addDelete,
  addForget,
  addBlock,
  addUnblock,
  addQuarantine,
  addFsck,
  addBackup,
  addRestore,
  addImport,
  addMove,
  addWhy,
  addSend,
  addCompletion,
  addReference,
];

/** Runs a command line, without `node` and the script, and returns its exit code. Never rejects. */
export async function runCommandLine(args: readonly string[], context: CommandContext): Promise<number> {
  try {
    const program = createProgram(context);
    await program.parseAsync(withoutHelpOfUnknown(program, args), { from: 'user' });
    return 0;
  } catch (error) {
    return reportCommandError(context, error);
  }
}

/**
 * Returns the arguments without the request for help if they name an unknown command. Otherwise commander would print the help of
 * the program, as if the name was right.
 */
function withoutHelpOfUnknown(program: Command, args: readonly string[]): readonly string[] {
  const words = args[0] === 'help' ? args.slice(1) : args;
  const [name] = words;
  const asksForHelp = words !== args || args.includes('--help') || args.includes('-h');
  if (name === undefined || name.startsWith('-') || !asksForHelp) return args;
  const isKnown = name === 'help' || program.commands.some((command) => command.name() === name);
  return isKnown ? args : [name];
}

export function createProgram(context: CommandContext): Command {
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
