import type { Command } from 'commander';
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

/** Adds one command to the program. Each file of `commands/` exports such a function. */
export type AddCommand = (program: Command, context: CommandContext) => void;

/** All commands, in the order of `porter --help`. */
export const allCommands: readonly AddCommand[] = [
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
