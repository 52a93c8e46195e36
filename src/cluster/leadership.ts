/** The work that only one of all processes that share a ledger may do at a time. */
export interface LeaderTasks {
  /** Called when this process becomes the leader. */
  startLeading(): Promise<void>;
  /** Called when it stops being the leader. `lost`: another process may lead at any moment, so it must not wait. */
  stopLeading(lost: boolean): Promise<void>;
}

/** Decides which process leads. Calls `startLeading` and `stopLeading` in turn; they never overlap. */
export interface Leadership {
  /** Makes this process a candidate. Called once. */
  start(tasks: LeaderTasks): Promise<void>;
  /** Stops the tasks, and only then lets another process lead. */
  stop(): Promise<void>;
}

/** Leadership of a process that shares its ledger with no other server: it always leads. */
export function createSoleLeadership(): Leadership {
  let running: LeaderTasks | undefined;
  return {
    async start(tasks) {
      running = tasks;
      await tasks.startLeading();
    },
    async stop() {
      const tasks = running;
      running = undefined;
      await tasks?.stopLeading(false);
    },
  };
}
