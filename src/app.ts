import { leaderDuties } from './app/duties.ts';
import { logOf, openHouse } from './app/house.ts';
import { openHttp } from './app/http.ts';
import { openVoices } from './app/messages.ts';
import { postingOf } from './app/posting.ts';
import { readinessOf } from './app/readiness.ts';
import { takeSeat } from './app/seat.ts';
import { settingsOf, withDeliveryOf } from './app/settings.ts';
import { sweepingOf } from './app/sweeping.ts';
import type { Logger } from './base/log.ts';
import { builtFeatures, refuseMissingFeatures } from './config/features.ts';
import type { Config } from './config/load.ts';
import type { Desk } from './fleet/worker.ts';
import type { ListenAddress } from './http/listen.ts';
import { type Heartbeat, startHeartbeat } from './uploads/housekeeping.ts';
import { buryDeadProcesses } from './uploads/processes.ts';

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

/**
 * Starts everything that the config asks for: stores, use cases, doors, in this order; what fails ends all before it.
 * `desk`: this process is one of several workers.
 */
export async function startApp(config: Config, desk?: Desk): Promise<App> {
  refuseMissingFeatures(config, builtFeatures);
  const log = logOf(config, desk?.number);
  const house = await openHouse(config, log);
  const { deps } = house;
  const { relay, leave, ...seat } = await takeSeat(config, log, desk);
  const sweeping = sweepingOf(house);
  const voices = openVoices(house, relay);
  const posting = postingOf(house, voices);
  const leadership = seat.leadership(sweeping.beside);
  const readiness = readinessOf(deps, config, relay);
  const http = await openHttp(config, { ...house, readiness, posting, desk });
  let heartbeat: Heartbeat | undefined;

  const stop = async (graceMs = 30_000) => {
    await leadership.resign();
    await http.stop(graceMs);
    await voices?.stop();
    await heartbeat?.stop();
    await leave();
    await house.close();
  };
  try {
    // No claim before the heartbeat that keeps it.
    heartbeat = await startHeartbeat(deps);
    desk?.serve('buried', () => buryDeadProcesses(deps));
    await http.server.start();
    // Asked for slots only once their links work.
    await leadership.stand(leaderDuties(house, relay, sweeping, voices, posting));
    return {
      addresses: http.server.addresses,
      log,
      async reload(next) {
        refuseMissingFeatures(next, builtFeatures);
        const settings = settingsOf(withDeliveryOf(config, next));
        await http.server.reload(next.tls);
        house.replace(settings);
        log.level = next.log.level;
      },
      stop,
    };
  } catch (error) {
    await stop(0);
    throw error;
  }
}
