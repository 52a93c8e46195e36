/** What only one of all the processes that share a ledger may do at a time. */
export interface LeaderTasks {
  /** This process leads now. */
  startLeading(): Promise<void>;
  /** It does not lead any more. `lost`: another may begin at any moment, so nothing is waited for. */
  stopLeading(lost: boolean): Promise<void>;
}

/** Decides which process that is. `begin` and `end` take turns and never overlap. */
export interface Leadership {
  /** Starts to stand for it; called once. */
  start(duties: LeaderTasks): Promise<void>;
  /** Ends the duties, and only then lets another process begin. */
  stop(): Promise<void>;
}
