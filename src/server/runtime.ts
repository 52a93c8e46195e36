import { systemClock } from '../base/clock.ts';
import { randomId } from '../base/ids.ts';
import { createLog, type Logger } from '../base/log.ts';
import type { Config } from '../config/load.ts';
import { createMetrics } from '../metrics/metrics.ts';
import { createFileCache } from '../uploads/file-cache.ts';
import type { UploadServices } from '../uploads/services.ts';
import { createTransfers } from '../uploads/transfers.ts';
import { type RuntimeSettings, toRuntimeSettings } from './settings.ts';
import { openStores } from './stores.ts';

/** What every part of a running server stands on. */
export interface Runtime {
  /** As at the start; what a reload changes is in `current`. */
  readonly config: Config;
  readonly log: Logger;
  readonly services: UploadServices;
  /** As of the last reload. */
  readonly settings: () => RuntimeSettings;
  replaceSettings(settings: RuntimeSettings): void;
  close(): Promise<void>;
}

/** Opens the stores and puts around them what all use cases share. */
export async function openRuntime(config: Config, log: Logger): Promise<Runtime> {
  const stores = await openStores(config);
  let current = toRuntimeSettings(config);
  const services: UploadServices = {
    ...stores,
    rules: () => current.rules,
    clock: systemClock,
    log,
    metrics: createMetrics(),
    instance: randomId(),
    transfers: createTransfers(),
    fileCache: createFileCache(),
  };
  return {
    config,
    log,
    services,
    settings: () => current,
    replaceSettings(settings) {
      current = settings;
    },
    close: () => stores.close(),
  };
}

/** What a worker writes is marked with its number. */
export function createServerLog(config: Config, worker?: number): Logger {
  const log = createLog({ level: config.log.level, format: formatOf(config) });
  return worker === undefined ? log : log.child({ worker });
}

function formatOf({ log }: Config): 'json' | 'pretty' {
  if (log.format !== 'auto') return log.format;
  return process.stdout.isTTY ? 'pretty' : 'json';
}
