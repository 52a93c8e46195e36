import type { Logger } from '../base/log.ts';
import { type Supervisor, startSupervisor } from '../cluster/workers/supervisor.ts';
import { assertSupportedFeatures, supportedFeatures } from '../config/features.ts';
import type { Config } from '../config/load.ts';
import { removeStaleSockets } from '../http/listener/listen.ts';
import { createServerLog } from './runtime.ts';

/** Workers that serve together, and the log of who keeps them running. */
export interface SupervisedServer extends Omit<Supervisor, 'reload'> {
  readonly log: Logger;
  /** As `App.reload`, for all workers or none. */
  reload(config: Config): Promise<void>;
}

/** Starts `workers` processes; an exit code where that is not possible, for which one of them has given the reason. */
export async function startSupervisedServer(config: Config): Promise<SupervisedServer | number> {
  assertSupportedFeatures(config, supportedFeatures);
  const log = createServerLog(config);
  await removeStaleSockets(config.listen);
  const supervisor = await startSupervisor({ log, workers: config.workers, config });
  if (typeof supervisor === 'number') return supervisor;
  return {
    ...supervisor,
    log,
    async reload(next) {
      await supervisor.reload(next);
      log.level = next.log.level;
    },
  };
}
