import { openHttp } from './app/http.ts';
import { readinessOf } from './app/readiness.ts';
import { settingsOf, withDeliveryOf } from './app/settings.ts';
import { openStores } from './app/stores.ts';
import { systemClock } from './base/clock.ts';
import { randomId } from './base/ids.ts';
import { createLog, type Logger } from './base/log.ts';
import { createMeter } from './base/meter.ts';
import { builtFeatures, refuseMissingFeatures } from './config/features.ts';
import type { Config } from './config/load.ts';
import { needRestart } from './config/restart.ts';
import type { ListenAddress } from './http/listen.ts';
import type { UploadDeps } from './uploads/deps.ts';
import { createHotFiles } from './uploads/hot.ts';
import { type Housekeeping, startHousekeeping } from './uploads/housekeeping.ts';
import { type Components, startComponents } from './xmpp/components.ts';

/** A running server. */
export interface App {
  /** Where it really listens: port 0 of the config has become one. */
  readonly addresses: readonly ListenAddress[];
  readonly log: Logger;
  /** Takes over what can change while running; throws, with the old settings kept, where the new are no good. */
  reload(config: Config): Promise<void>;
  /** Takes no new work, lets transfers in flight end for up to `graceMs`, then closes everything. */
  stop(graceMs?: number): Promise<void>;
}

/** Starts everything that the config asks for: stores, use cases, doors, in this order; what fails ends all before it. */
export async function startApp(config: Config): Promise<App> {
  refuseMissingFeatures(config, builtFeatures);
  const log = createLog({ level: config.log.level, format: formatOf(config) });
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
  let housekeeping: Housekeeping | undefined;
  let components: Components | undefined;
  const readiness = readinessOf(deps, config, () => components);
  const http = await openHttp(config, { deps, hot, current: () => current, readiness });

  const stop = async (graceMs: number) => {
    await components?.stop();
    await http.stop(graceMs);
    await housekeeping?.stop();
    await stores.close();
  };
  try {
    // No claim before the heartbeat that keeps it.
    housekeeping = await startHousekeeping(deps, {
      sweepEvery: () => current.config.retention.sweep_every ?? 0,
      keepRecords: () => current.config.retention.keep_records,
    });
    await http.server.start();
    // Asked for slots only once their links work.
    components = startComponents(componentDepsOf(deps, config), config.component);
    return {
      addresses: http.server.addresses,
      log,
      async reload(next) {
        refuseMissingFeatures(next, builtFeatures);
        const settings = settingsOf(withDeliveryOf(config, next));
        await http.server.reload(next.tls);
        current = settings;
        log.level = next.log.level;
        for (const key of needRestart(config, next))
          log.warn({ key }, 'changed in the config: takes a restart');
      },
      stop: (graceMs = 30_000) => stop(graceMs),
    };
  } catch (error) {
    await stop(0);
    throw error;
  }
}

function formatOf({ log }: Config): 'json' | 'pretty' {
  if (log.format !== 'auto') return log.format;
  return process.stdout.isTTY ? 'pretty' : 'json';
}

function componentDepsOf(deps: UploadDeps, { public_url, download_url }: Config) {
  const publicUrl = public_url ?? '';
  return { ...deps, publicUrl, downloadUrl: download_url ?? publicUrl, watchClocks: true };
}
