/** Tasks that only one of the processes that share a ledger may run at a time. */
export interface LeaderTasks {
  /** Called when this process becomes the leader. */
  startLeading(): Promise<void>;
  /** Called when this process stops leading. `lost`: another process may already lead, so the tasks must stop without waiting. */
  stopLeading(lost: boolean): Promise<void>;
}

/** Decides which process leads. Calls `startLeading` and `stopLeading` in turn; they never overlap. */
export interface Leadership {
  /** Makes this process a candidate. Called once. */
  start(tasks: LeaderTasks): Promise<void>;
  /** Stops the tasks, and then lets another process lead. */
  stop(): Promise<void>;
}

/** Creates the leadership of a process that is the only server of its ledger. It always leads. */
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
