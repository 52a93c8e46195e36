import { existsSync } from 'node:fs';
import type { Command } from 'commander';
import { systemClock } from '../../base/clock.ts';
import { randomId } from '../../base/ids.ts';
import { createLog } from '../../base/log.ts';
import type { Config } from '../../config/load.ts';
import { createMetrics } from '../../metrics/metrics.ts';
import { toUploadRules } from '../../server/settings.ts';
import { openStores } from '../../server/stores.ts';
import { createFileCache } from '../../uploads/file-cache.ts';
import type { UploadServices } from '../../uploads/services.ts';
import { createTransfers } from '../../uploads/transfers.ts';
import type { CommandContext } from './command-context.ts';
import { CommandError } from './command-error.ts';
import { loadCommandConfig } from './config-file.ts';

/** Opens the stores that the config names, beside a running server or without one, and closes them afterwards. */
export async function withRuntime(
  shell: CommandContext,
  command: Command,
  work: (deps: UploadServices, config: Config) => Promise<void>,
): Promise<void> {
  const config = await loadCommandConfig(shell, command);
  requireExistingLedger(config);
  const log = createLog({ level: 'warn', format: 'pretty', destination: 2 });
  const stores = await openStores(config);
  const rules = toUploadRules(config);
  try {
    const deps = { ...stores, rules: () => rules, clock: systemClock, log, metrics: createMetrics() };
    const caches = { transfers: createTransfers(), fileCache: createFileCache() };
    await work({ ...deps, ...caches, instance: randomId() }, config);
  } finally {
    await stores.close();
  }
}

/** A command that only looks must not make a new ledger where somebody stands in the wrong folder. */
export function requireExistingLedger({ storage, file }: Config): void {
  if (storage.ledger.kind !== 'sqlite' || existsSync(storage.ledger.path)) return;
  const name = file === null ? 'the current folder (no config file was found)' : file;
  throw new CommandError(`There is no ledger yet by ${name}. Has porter serve run with this config?`);
}
