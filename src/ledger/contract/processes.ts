/** Processes that hold claims. Their heartbeats show which claims are still valid. */
export interface ProcessStore {
  /** Records that a process is running. Its claims expire `HEARTBEAT_TIMEOUT_MS` after its last heartbeat. */
  heartbeat(instance: Instance): Promise<void>;
  /** Lists the processes of a host that have sent heartbeats. */
  listInstances(host: string): Promise<Pick<Instance, 'id' | 'pid'>[]>;
  /** Removes processes that have ended. Their claims can be taken over at once. */
  removeInstances(ids: readonly string[]): Promise<void>;
  /**
   * Inserts a row, deletes it and commits, as durably as an upload. Rejects if the database cannot store uploads, also while
   * it is read-only. Does not wait for a database server that restarts.
   */
  checkWritable(): Promise<void>;
}

/** After so many milliseconds without a heartbeat, other processes may take over the claims of a process. */
export const HEARTBEAT_TIMEOUT_MS = 60_000;

export interface Instance {
  readonly id: string;
  /** Name of the host on which `pid` is unique. */
  readonly host: string;
  readonly pid: number;
  readonly now: number;
}
