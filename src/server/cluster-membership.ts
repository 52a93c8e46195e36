import type { Logger } from '../base/log.ts';
import type { Leadership } from '../cluster/leadership.ts';
import type { Relay } from '../cluster/relay.ts';
import { createLocalRelay, createRelayHandlers } from '../cluster/relay-handlers.ts';
import { createSoleLeadership } from '../cluster/sole-leader.ts';
import type { WorkerClient } from '../cluster/workers/worker-client.ts';
import type { Config } from '../config/load.ts';

/** The place of this process among all that share its ledger. */
export interface ClusterMembership {
  readonly relay: Relay;
  /** Stands for the lead by `inner`'s rules; `beside` adds what goes along with it. */
  readonly createLeadership: (beside: (inner: Leadership) => Leadership) => Leadership;
  /** Leaves, after everything that asks others. */
  leave(): Promise<void>;
}

/** Among the workers of one machine, among the instances at one PostgreSQL, both, or alone. */
export async function joinCluster(
  config: Config,
  log: Logger,
  desk: WorkerClient | undefined,
): Promise<ClusterMembership> {
  const { leadership, relay, close } = await seatAmongInstances(config, log);
  return {
    relay: desk?.wrapRelay(relay) ?? relay,
    createLeadership: (beside) => desk?.wrapLeadership(beside(leadership)) ?? beside(leadership),
    leave: close,
  };
}

interface Place {
  readonly leadership: Leadership;
  readonly relay: Relay;
  close(): Promise<void>;
}

async function seatAmongInstances({ storage }: Config, log: Logger): Promise<Place> {
  const handlers = createRelayHandlers(log);
  const during = ({ start, stop }: Leadership): Leadership => ({
    start: (duties) => start(handlers.activeDuring(duties)),
    stop,
  });
  if (storage.ledger.kind !== 'postgres') {
    return {
      leadership: during(createSoleLeadership()),
      relay: createLocalRelay(handlers),
      close: async () => {},
    };
  }
  const { createPostgresLeader } = await import('../cluster/postgres/leader.ts');
  const leader = createPostgresLeader({ url: storage.ledger.url, log, handlers });
  return { leadership: during(leader), relay: leader.relay, close: leader.close };
}
