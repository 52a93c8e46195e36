import type { Leadership, LeaderTasks } from './leadership.ts';

/** Of a process that shares its ledger with no other server: it always leads. */
export function createSoleLeadership(): Leadership {
  let duties: LeaderTasks | undefined;
  return {
    async start(isPorter) {
      duties = isPorter;
      await isPorter.startLeading();
    },
    async stop() {
      const ended = duties;
      duties = undefined;
      await ended?.stopLeading(false);
    },
  };
}
