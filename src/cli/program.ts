import { Command } from 'commander';
import { description, version } from '../base/version.ts';
import { addCheck } from './check.ts';
import { addCleanup } from './cleanup.ts';
import { addDelete } from './delete.ts';
import { addDoctor } from './doctor.ts';
import { tellFailure } from './fail.ts';
import { addForget } from './forget.ts';
import { addFsck } from './fsck.ts';
import { addImport } from './import.ts';
import { addInit } from './init.ts';
import { addMove } from './move.ts';
import { addReference } from './reference.ts';
import { addSend } from './send.ts';
import { addServe } from './serve.ts';
import type { Shell } from './shell.ts';
import { addStats } from './stats.ts';
import { addUploads } from './uploads.ts';
import { addUsers } from './users.ts';
import { addWhy } from './why.ts';

/** One command: a file beside this one that exports such a function. */
export type AddCommand = (program: Command, shell: Shell) => void;

/** In the order of `porter --help`. */
const commands: readonly AddCommand[] = [
  addInit,
  addCheck,
  addServe,
  addDoctor,
  addCleanup,
  addUploads,
  addUsers,
  addStats,
  addDelete,
  addForget,
  addFsck,
  addImport,
  addMove,
  addWhy,
  addSend,
  addReference,
];

/** Runs one command line (without `node` and the script) and returns its exit code. Never throws. */
export async function run(args: readonly string[], shell: Shell): Promise<number> {
  try {
    await createProgram(shell).parseAsync(args, { from: 'user' });
    return 0;
  } catch (error) {
    return tellFailure(shell, error);
  }
}

export function createProgram(shell: Shell): Command {
  const program = new Command('porter')
    .description(description)
    .version(version, '-V, --version', 'print the version')
    .helpOption('-h, --help', 'print help')
    .helpCommand('help [command]', 'print help for a command')
    .option('-c, --config <file>', 'config file (default: PORTER_CONFIG, or porter.yml if it is there)')
    .configureHelp({ showGlobalOptions: true })
    .configureOutput({
      writeOut: (text) => shell.out.write(text),
      writeErr: (text) => shell.err.write(text),
      getOutHelpWidth: () => shell.out.columns ?? 80,
      getErrHelpWidth: () => shell.err.columns ?? 80,
    })
    .showHelpAfterError('(porter --help lists what there is)')
    .exitOverride()
    .addHelpText('after', '\nExit codes: 0 done, 1 failed, 2 wrong usage or config.');
  for (const add of commands) add(program, shell);
  return program;
}
