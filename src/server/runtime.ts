import { systemClock } from '../base/clock.ts';
import { randomId } from '../base/ids.ts';
import { createLog, isJournal, type LogFormat, type Logger } from '../base/log.ts';
import type { Config } from '../config/load.ts';
import { createMetrics } from '../metrics/metrics.ts';
import { createClamd } from '../scanner/clamd.ts';
import { createBlobDeleter } from '../uploads/blobs/delete-pending.ts';
import { createContentChecks } from '../uploads/content/content-checks.ts';
import { createSpaceReserve, type ReservedDisk } from '../uploads/disk/space-reserve.ts';
import { createFileCache } from '../uploads/file-cache.ts';
import { createRefusalLog } from '../uploads/refusals/refusal-log.ts';
import type { UploadServices } from '../uploads/services.ts';
import { createThumbnails } from '../uploads/thumbnails/thumbnails.ts';
import { createTransfers } from '../uploads/transfers.ts';
import { type RuntimeSettings, toRuntimeSettings } from './settings.ts';
import { openStores } from './stores.ts';

/** The open stores and shared services of one process: a server, a command or the doctor. */
export interface Runtime {
  /** The config at the start. Options that a reload can change are in `settings()`. */
  readonly config: Config;
  readonly log: Logger;
  readonly services: UploadServices;
  /** The settings of the last reload. */
  readonly settings: () => RuntimeSettings;
  replaceSettings(settings: RuntimeSettings): void;
  /** Resolves if a thread of the ledger ends unexpectedly. From then on the ledger fails every call. */
  readonly ledgerThreadEnded: Promise<Error>;
  /** Reserves disk space for removals on a full disk. Only a server calls this, because the files must belong to its user. */
  fillBallast(): Promise<void>;
  /** Closes the stores. */
  close(): Promise<void>;
}

/** Opens the stores that the config names. Rejects if one of them cannot be opened. */
export async function openRuntime(config: Config, log: Logger): Promise<Runtime> {
  const { ledger, blobs, ledgerThreadEnded, readLedgerSpace, fillBallast, close } = await openStores(config);
  const disks: ReservedDisk[] = [{ store: 'blobs', readSpace: () => blobs.space() }];
  if (readLedgerSpace) disks.push({ store: 'ledger', readSpace: readLedgerSpace });
  let settings = toRuntimeSettings(config);
  const rules = () => settings.rules;
  const refusals = createRefusalLog({ ledger, rules, clock: systemClock, log });
  const metrics = createMetrics();
  const blobDeleter = createBlobDeleter({ ledger, blobs, clock: systemClock, log, metrics });
  const shared = {
    ledger,
    blobs,
    clock: systemClock,
    log,
    metrics,
    instance: randomId(),
    spaceReserve: createSpaceReserve(log, disks, config.storage.reserve),
  };
  const services: UploadServices = {
    ...shared,
    rules,
    refusals,
    blobDeleter,
    transfers: createTransfers(),
    fileCache: createFileCache(),
    content: createContentChecks({
      ledger,
      rules: () => rules().content,
      scanner: createClamd(),
      log,
      metrics,
    }),
    thumbnails: config.thumbnails ? createThumbnails(shared) : undefined,
  };
  return {
    config,
    log,
    services,
    settings: () => settings,
    replaceSettings(next) {
      settings = next;
    },
    ledgerThreadEnded,
    fillBallast,
    async close() {
      services.thumbnails?.close();
      await refusals.flush();
      await blobDeleter.idle();
      await close();
    },
  };
}

/** Creates the log of a server. Log lines of a worker have its number. */
export function createServerLog(config: Config, worker?: number): Logger {
  const log = createLog({ level: config.log.level, format: logFormat(config) });
  return worker === undefined ? log : log.child({ worker });
}

function logFormat({ log }: Config): LogFormat {
  if (log.format !== 'auto') return log.format;
  if (isJournal(1)) return 'journal';
  return process.stdout.isTTY ? 'pretty' : 'json';
}
