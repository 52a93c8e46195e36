import type { Duties, Leadership } from './contract.ts';

/** Of a process that shares its ledger with no other server: it always leads. */
export function leadAlone(): Leadership {
  let duties: Duties | undefined;
  return {
    async stand(ours) {
      duties = ours;
      await ours.begin();
    },
    async resign() {
      const ended = duties;
      duties = undefined;
      await ended?.end(false);
    },
  };
}
