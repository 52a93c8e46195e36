import type { ListenAddress } from '../base/addresses.ts';
import type { Logger } from '../base/log.ts';
import type { WorkerClient } from '../cluster/workers/worker-client.ts';
import { assertSupportedFeatures, supportedFeatures } from '../config/features.ts';
import type { Config } from '../config/load.ts';
import { releaseClaimsOfDeadProcesses } from '../uploads/dead-processes.ts';
import { type Heartbeat, startHeartbeat } from '../uploads/housekeeping.ts';
import { joinCluster } from './cluster-membership.ts';
import { openHttp } from './http.ts';
import { createLeaderTasks } from './leader-tasks.ts';
import { createMessageServices } from './message-services.ts';
import { openMessaging } from './messaging.ts';
import { createServerReadiness } from './readiness.ts';
import { createServerLog, openRuntime } from './runtime.ts';
import { keepDeliverySettings, toRuntimeSettings } from './settings.ts';
import { createSweeper } from './sweeper.ts';

/** A running server. */
export interface PorterServer {
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
export async function startServer(config: Config, workerClient?: WorkerClient): Promise<PorterServer> {
  assertSupportedFeatures(config, supportedFeatures);
  const log = createServerLog(config, workerClient?.number);
  const house = await openRuntime(config, log);
  const { services } = house;
  const { relay, leave, ...seat } = await joinCluster(config, log, workerClient);
  const sweeping = createSweeper(house);
  const voices = openMessaging(house, relay);
  const messageServices = createMessageServices(house, voices);
  const leadership = seat.createLeadership(sweeping.withSweepJobs);
  const readiness = createServerReadiness(services, config, relay);
  const http = await openHttp(config, { ...house, readiness, messageServices, workerClient });
  let heartbeat: Heartbeat | undefined;

  const stop = async (graceMs = 30_000) => {
    await leadership.stop();
    await http.stop(graceMs);
    await voices?.stop();
    await heartbeat?.stop();
    await leave();
    await house.close();
  };
  try {
    // No claim before the heartbeat that keeps it.
    heartbeat = await startHeartbeat(services);
    workerClient?.handle('buried', () => releaseClaimsOfDeadProcesses(services));
    await http.server.start();
    // Asked for slots only once their links work.
    await leadership.start(createLeaderTasks(house, relay, sweeping, voices, messageServices));
    return {
      addresses: http.server.addresses,
      log,
      async reload(next) {
        assertSupportedFeatures(next, supportedFeatures);
        const settings = toRuntimeSettings(keepDeliverySettings(config, next));
        await http.server.reloadCertificate(next.tls);
        house.replaceSettings(settings);
        log.level = next.log.level;
      },
      stop,
    };
  } catch (error) {
    await stop(0);
    throw error;
  }
}
