import { existsSync } from 'node:fs';
import type { Command } from 'commander';
import { createLog } from '../../base/log.ts';
import type { Config } from '../../config/load.ts';
import { openRuntime } from '../../server/runtime.ts';
import type { UploadServices } from '../../uploads/services.ts';
import type { CommandContext } from './command-context.ts';
import { CommandError } from './command-error.ts';
import { loadCommandConfig } from './config-file.ts';

/** Opens the stores that the config names, beside a running server or without one, and closes them afterwards. */
export async function withRuntime(
  shell: CommandContext,
  command: Command,
  work: (services: UploadServices, config: Config) => Promise<void>,
): Promise<void> {
  const config = await loadCommandConfig(shell, command);
  requireExistingLedger(config);
  const log = createLog({ level: 'warn', format: 'pretty', destination: 2 });
  const runtime = await openRuntime(config, log);
  try {
    await work(runtime.services, config);
  } finally {
    await runtime.close();
  }
}

/** A command that only looks must not make a new ledger where somebody stands in the wrong folder. */
export function requireExistingLedger({ storage, file }: Config): void {
  if (storage.ledger.kind !== 'sqlite' || existsSync(storage.ledger.path)) return;
  const name = file === null ? 'the current folder (no config file was found)' : file;
  throw new CommandError(`There is no ledger yet by ${name}. Has porter serve run with this config?`);
}
