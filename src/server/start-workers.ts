import type { Logger } from '../base/log.ts';
import { type Supervisor, startSupervisor } from '../cluster/workers/supervisor.ts';
import type { Config } from '../config/load.ts';
import { removeStaleSockets } from '../http/listener/listen.ts';
import { createServerLog } from './runtime.ts';

/** Several workers that serve together, and the log of their supervisor. */
export interface SupervisedServer extends Pick<Supervisor, 'gaveUp' | 'kill' | 'stop'> {
  readonly log: Logger;
  /** Does the same as `PorterServer.reload`, for all workers or none. */
  reload(config: Config): Promise<void>;
}

/** Starts the workers. Returns an exit code if one cannot start; that worker has logged the reason. */
export async function startSupervisedServer(config: Config): Promise<SupervisedServer | number> {
  const log = createServerLog(config);
  await removeStaleSockets(config.listen);
  const supervisor = await startSupervisor({ log, workers: config.workers, config });
  if (typeof supervisor === 'number') return supervisor;
  return {
    gaveUp: supervisor.gaveUp,
    kill: () => supervisor.kill(),
    stop: (limitMs) => supervisor.stop(limitMs),
    log,
    async reload(next) {
      await supervisor.reload(next);
      log.level = next.log.level;
    },
  };
}
