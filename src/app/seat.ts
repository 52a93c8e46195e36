import type { Logger } from '../base/log.ts';
import type { Relay } from '../base/relay.ts';
import type { Config } from '../config/load.ts';
import { leadAlone } from '../fleet/alone.ts';
import { createAnswers, relayWithin } from '../fleet/answers.ts';
import type { Leadership } from '../fleet/contract.ts';
import type { Desk } from '../fleet/worker.ts';

/** The place of this process among all that share its ledger. */
export interface Seat {
  readonly relay: Relay;
  /** Stands for the lead by `inner`'s rules; `beside` adds what goes along with it. */
  readonly leadership: (beside: (inner: Leadership) => Leadership) => Leadership;
  /** Leaves, after everything that asks others. */
  leave(): Promise<void>;
}

/** Among the workers of one machine, among the instances at one PostgreSQL, both, or alone. */
export async function takeSeat(config: Config, log: Logger, desk: Desk | undefined): Promise<Seat> {
  const { leadership, relay, close } = await seatAmongInstances(config, log);
  return {
    relay: desk?.relay(relay) ?? relay,
    leadership: (beside) => desk?.leadership(beside(leadership)) ?? beside(leadership),
    leave: close,
  };
}

interface Place {
  readonly leadership: Leadership;
  readonly relay: Relay;
  close(): Promise<void>;
}

async function seatAmongInstances({ storage }: Config, log: Logger): Promise<Place> {
  const answers = createAnswers(log);
  const during = ({ stand, resign }: Leadership): Leadership => ({
    stand: (duties) => stand(answers.during(duties)),
    resign,
  });
  if (storage.ledger.kind !== 'postgres') {
    return { leadership: during(leadAlone()), relay: relayWithin(answers), close: async () => {} };
  }
  const { postgresLeader } = await import('../fleet/postgres-leader.ts');
  const leader = postgresLeader({ url: storage.ledger.url, log, answers });
  return { leadership: during(leader), relay: leader.relay, close: leader.close };
}
