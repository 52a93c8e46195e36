import { systemClock } from '../base/clock.ts';
import { randomId } from '../base/ids.ts';
import { createLog, type Logger } from '../base/log.ts';
import { createMeter } from '../base/meter.ts';
import type { Config } from '../config/load.ts';
import type { UploadDeps } from '../uploads/deps.ts';
import { createHotFiles, type HotFiles } from '../uploads/hot.ts';
import { createTransfers, type Transfers } from '../uploads/transfers.ts';
import { type Settings, settingsOf } from './settings.ts';
import { openStores } from './stores.ts';

/** What every part of a running server stands on. */
export interface House {
  /** As at the start; what a reload changes is in `current`. */
  readonly config: Config;
  readonly log: Logger;
  readonly deps: UploadDeps;
  readonly hot: HotFiles;
  readonly transfers: Transfers;
  /** As of the last reload. */
  readonly current: () => Settings;
  replace(settings: Settings): void;
  close(): Promise<void>;
}

/** Opens the stores and puts around them what all use cases share. */
export async function openHouse(config: Config, log: Logger): Promise<House> {
  const stores = await openStores(config);
  let current = settingsOf(config);
  const hot = createHotFiles();
  const deps: UploadDeps = {
    ...stores,
    rules: () => current.rules,
    clock: systemClock,
    log,
    meter: createMeter(),
    instance: randomId(),
    onRemoved: (removed) => {
      for (const { locator } of removed) hot.forget(locator);
    },
  };
  return {
    config,
    log,
    deps,
    hot,
    transfers: createTransfers(),
    current: () => current,
    replace(settings) {
      current = settings;
    },
    close: () => stores.close(),
  };
}

/** What a worker writes is marked with its number. */
export function logOf(config: Config, worker?: number): Logger {
  const log = createLog({ level: config.log.level, format: formatOf(config) });
  return worker === undefined ? log : log.child({ worker });
}

function formatOf({ log }: Config): 'json' | 'pretty' {
  if (log.format !== 'auto') return log.format;
  return process.stdout.isTTY ? 'pretty' : 'json';
}
