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

/** The open stores and shared services of one process: a server, a command or the doctor. */
export interface Runtime {
  /** The config at the start. Options that a reload changes are in `settings()`. */
  readonly config: Config;
  readonly log: Logger;
  readonly services: UploadServices;
  /** The settings of the last reload. */
  readonly settings: () => RuntimeSettings;
  replaceSettings(settings: RuntimeSettings): void;
  /** Closes the stores. */
  close(): Promise<void>;
}

/** Opens the stores that the config names. Rejects if one of them cannot be opened. */
export async function openRuntime(config: Config, log: Logger): Promise<Runtime> {
  const { ledger, blobs, close } = await openStores(config);
  let settings = toRuntimeSettings(config);
  const services: UploadServices = {
    ledger,
    blobs,
    rules: () => settings.rules,
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
    settings: () => settings,
    replaceSettings(next) {
      settings = next;
    },
    close,
  };
}

/** Creates the log of a server. Lines of a worker carry its number. */
export function createServerLog(config: Config, worker?: number): Logger {
  const log = createLog({ level: config.log.level, format: logFormat(config) });
  return worker === undefined ? log : log.child({ worker });
}

function logFormat({ log }: Config): 'json' | 'pretty' {
  if (log.format !== 'auto') return log.format;
  return process.stdout.isTTY ? 'pretty' : 'json';
}
