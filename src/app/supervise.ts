import type { Logger } from '../base/log.ts';
import { builtFeatures, refuseMissingFeatures } from '../config/features.ts';
import type { Config } from '../config/load.ts';
import { type Supervisor, startSupervisor } from '../fleet/supervisor.ts';
import { clearStaleSockets } from '../http/listen.ts';
import { logOf } from './house.ts';

/** Workers that serve together, and the log of who keeps them running. */
export interface Fleet extends Omit<Supervisor, 'reload'> {
  readonly log: Logger;
  /** As `App.reload`, for all workers or none. */
  reload(config: Config): Promise<void>;
}

/** Starts `workers` processes; an exit code where that is not possible, for which one of them has given the reason. */
export async function startFleet(config: Config): Promise<Fleet | number> {
  refuseMissingFeatures(config, builtFeatures);
  const log = logOf(config);
  await clearStaleSockets(config.listen);
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
