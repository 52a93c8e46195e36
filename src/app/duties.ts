import type { Duties } from '../fleet/contract.ts';
import { type Sweeps, startSweeps } from '../uploads/housekeeping.ts';
import { type Components, startComponents } from '../xmpp/components.ts';
import type { House } from './house.ts';

/** What one process does for all that share its ledger: the component streams, and the sweeps. */
export interface LeaderDuties extends Duties {
  /** Undefined while this process does not lead. */
  components(): Components | undefined;
}

export function leaderDuties({ deps, config, current }: House): LeaderDuties {
  let sweeps: Sweeps | undefined;
  let components: Components | undefined;
  return {
    components: () => components,
    async begin() {
      sweeps = startSweeps(deps, {
        sweepEvery: () => current().config.retention.sweep_every ?? 0,
        keepRecords: () => current().config.retention.keep_records,
      });
      const publicUrl = config.public_url ?? '';
      const urls = { publicUrl, downloadUrl: config.download_url ?? publicUrl };
      components = startComponents({ ...deps, ...urls, watchClocks: true }, config.component);
    },
    async end() {
      await components?.stop();
      components = undefined;
      await sweeps?.stop();
      sweeps = undefined;
    },
  };
}
