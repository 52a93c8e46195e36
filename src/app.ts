import { leaderDuties } from './app/duties.ts';
import { openHouse } from './app/house.ts';
import { openHttp } from './app/http.ts';
import { readinessOf } from './app/readiness.ts';
import { settingsOf, withDeliveryOf } from './app/settings.ts';
import type { Logger } from './base/log.ts';
import { builtFeatures, refuseMissingFeatures } from './config/features.ts';
import type { Config } from './config/load.ts';
import { needRestart } from './config/restart.ts';
import { leadAlone } from './fleet/alone.ts';
import type { ListenAddress } from './http/listen.ts';
import { type Heartbeat, startHeartbeat } from './uploads/housekeeping.ts';

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
  const house = await openHouse(config);
  const { deps, log } = house;
  const leadership = leadAlone();
  const duties = leaderDuties(house);
  const readiness = readinessOf(deps, config, duties.components);
  const http = await openHttp(config, { ...house, readiness });
  let heartbeat: Heartbeat | undefined;

  const stop = async (graceMs = 30_000) => {
    await leadership.resign();
    await http.stop(graceMs);
    await heartbeat?.stop();
    await house.close();
  };
  try {
    // No claim before the heartbeat that keeps it.
    heartbeat = await startHeartbeat(deps);
    await http.server.start();
    // Asked for slots only once their links work.
    await leadership.stand(duties);
    return {
      addresses: http.server.addresses,
      log,
      async reload(next) {
        refuseMissingFeatures(next, builtFeatures);
        const settings = settingsOf(withDeliveryOf(config, next));
        await http.server.reload(next.tls);
        house.replace(settings);
        log.level = next.log.level;
        for (const key of needRestart(config, next))
          log.warn({ key }, 'changed in the config: takes a restart');
      },
      stop,
    };
  } catch (error) {
    await stop(0);
    throw error;
  }
}
