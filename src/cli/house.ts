import { existsSync } from 'node:fs';
import type { Command } from 'commander';
import { rulesOf } from '../app/settings.ts';
import { openStores } from '../app/stores.ts';
import { systemClock } from '../base/clock.ts';
import { randomId } from '../base/ids.ts';
import { createLog } from '../base/log.ts';
import { createMeter } from '../base/meter.ts';
import type { Config } from '../config/load.ts';
import type { UploadDeps } from '../uploads/deps.ts';
import { configOf } from './config-file.ts';
import { CommandFailure } from './fail.ts';
import type { Shell } from './shell.ts';

/** Opens the stores that the config names, beside a running server or without one, and closes them afterwards. */
export async function withHouse(
  shell: Shell,
  command: Command,
  work: (deps: UploadDeps, config: Config) => Promise<void>,
): Promise<void> {
  const config = await configOf(shell, command);
  refuseEmptyHouse(config);
  const log = createLog({ level: 'warn', format: 'pretty', destination: 2 });
  const stores = await openStores(config);
  const rules = rulesOf(config);
  try {
    const deps = { ...stores, rules: () => rules, clock: systemClock, log, meter: createMeter() };
    await work({ ...deps, instance: randomId() }, config);
  } finally {
    await stores.close();
  }
}

/** A command that only looks must not make a new ledger where somebody stands in the wrong folder. */
export function refuseEmptyHouse({ storage, file }: Config): void {
  if (storage.ledger.kind !== 'sqlite' || existsSync(storage.ledger.path)) return;
  const name = file === null ? 'the current folder (no config file was found)' : file;
  throw new CommandFailure(`There is no ledger yet by ${name}. Has porter serve run with this config?`);
}
