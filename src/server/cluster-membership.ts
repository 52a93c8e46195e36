import type { Logger } from '../base/log.ts';
import { createSoleLeadership, type Leadership } from '../cluster/leadership.ts';
import type { Relay } from '../cluster/relay.ts';
import { createLocalRelay, createRelayHandlers } from '../cluster/relay-handlers.ts';
import type { WorkerClient } from '../cluster/workers/worker-client.ts';
import type { Config } from '../config/load.ts';

/** The membership of this process among all processes that share its ledger. */
export interface ClusterMembership {
  readonly relay: Relay;
  /** Creates the leadership of this process. `extend` may add tasks to the leadership of the instance. */
  readonly createLeadership: (extend: (instance: Leadership) => Leadership) => Leadership;
  /** Closes the connection to other instances. Call it after everything that uses the relay has stopped. */
  leave(): Promise<void>;
}

/** Joins the workers of this machine, if there are several, and the instances with the same PostgreSQL database. */
export async function joinCluster(
  config: Config,
  log: Logger,
  workerClient: WorkerClient | undefined,
): Promise<ClusterMembership> {
  const { leadership, relay, close } = await joinInstances(config, log);
  return {
    relay: workerClient?.wrapRelay(relay) ?? relay,
    createLeadership: (extend) => workerClient?.wrapLeadership(extend(leadership)) ?? extend(leadership),
    leave: close,
  };
}

interface InstanceMembership {
  readonly leadership: Leadership;
  readonly relay: Relay;
  close(): Promise<void>;
}

async function joinInstances({ storage }: Config, log: Logger): Promise<InstanceMembership> {
  const handlers = createRelayHandlers(log);
  const answering = (leadership: Leadership): Leadership => ({
    start: (tasks) => leadership.start(handlers.activeDuring(tasks)),
    stop: () => leadership.stop(),
  });
  if (storage.ledger.kind !== 'postgres') {
    return {
      leadership: answering(createSoleLeadership()),
      relay: createLocalRelay(handlers),
      close: async () => {},
    };
  }
  const { createPostgresLeader } = await import('../cluster/postgres/leader.ts');
  const leader = createPostgresLeader({ url: storage.ledger.url, log, handlers });
  return { leadership: answering(leader), relay: leader.relay, close: () => leader.close() };
}
