import { statSync } from 'node:fs';
import type { Command } from 'commander';
import { createLog, isJournal } from '../../base/log.ts';
import type { Config } from '../../config/load.ts';
import { openRuntime } from '../../server/runtime.ts';
import { storeLocations } from '../../server/stores.ts';
import type { UploadServices } from '../../uploads/services.ts';
import { requireWritableStores } from '../../uploads/store-identity/join-stores.ts';
import type { CommandContext } from './command-context.ts';
import { CommandError, EXIT_CODE } from './command-error.ts';
import { loadCommandConfig } from './config-file.ts';

/**
 * Loads the config, opens its stores for `work` and closes them afterwards. A running server may use the same stores at the same time.
 * `writes`: throws if the stores do not belong together or are being moved.
 */
export async function withRuntime(
  context: CommandContext,
  command: Command,
  work: (services: UploadServices, config: Config) => Promise<void>,
  { writes = false }: { readonly writes?: boolean } = {},
): Promise<void> {
  const config = await loadCommandConfig(context, command);
  requireExistingLedger(config);
  const log = createLog({ level: 'warn', format: isJournal(2) ? 'journal' : 'pretty', destination: 2 });
  const runtime = await openRuntime(config, log);
  try {
    if (writes) await requireWritableStores(runtime.services, storeLocations(config));
    await work(runtime.services, config);
  } finally {
    await runtime.close();
  }
}

/** Throws if the SQLite file is missing. Opening it would create an empty one, for example in the wrong folder. */
export function requireExistingLedger({ storage, file }: Config): void {
  if (storage.ledger.kind !== 'sqlite' || isFound(storage.ledger.path)) return;
  const source = file === null ? 'no config file was found' : `config: ${file}`;
  throw new CommandError(
    `No ledger found at ${storage.ledger.path} (${source}). Start \`porter serve\` once, or check the path given with -c.`,
  );
}

/** Returns whether a file exists. Throws if this user may not read its folder, because then that is unknown. */
function isFound(path: string): boolean {
  try {
    statSync(path);
    return true;
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code !== 'EACCES') return false;
    throw new CommandError(
      `Cannot read the folder of the ledger ${path} (EACCES, running as uid ${process.getuid?.()}). ` +
        'Run the command as the user that Porter runs as.',
      EXIT_CODE.failed,
      error,
    );
  }
}
