import type { Machine } from '../../base/system-resources.ts';

/** Processes that hold claims. Their heartbeats show which claims are still valid. */
export interface ProcessStore {
  /**
   * Records by the ledger's clock that a process is running. Its claims expire `HEARTBEAT_TIMEOUT_MS` after its last
   * heartbeat.
   */
  heartbeat(heartbeat: Heartbeat): Promise<void>;
  /** Lists the processes that have sent heartbeats within the last day. */
  listInstances(): Promise<InstanceState[]>;
  /**
   * Removes processes that have died. Their claims can be taken over at once. They become dead writers: they may have written
   * files that no upload has.
   */
  removeInstances(ids: readonly string[]): Promise<void>;
  /** Removes a process after all its work has ended. */
  endInstance(id: string): Promise<void>;
  /** Lists processes that have died, by the tags that their files have (`writerTag`). From then on they can store no file. */
  listDeadWriters(): Promise<string[]>;
  /** Drops dead writers after their files were looked for. */
  dropDeadWriters(tags: readonly string[]): Promise<void>;
  /** Returns the time of the ledger's clock, ms since 1970. */
  readClock(): Promise<number>;
  /**
   * Inserts a row, deletes it and commits, as durably as an upload. Rejects if the database cannot store uploads, also while
   * it is read-only. Does not wait for a database server that restarts.
   */
  checkWritable(): Promise<void>;
}

/** After so many milliseconds without a heartbeat, other processes may take over the claims of a process. */
export const HEARTBEAT_TIMEOUT_MS = 60_000;

/**
 * Claims and heartbeats use one clock, so that instances whose own clocks differ do not take over each other's claims: the
 * clock of the PostgreSQL server, or of the machine with SQLite.
 */
export interface LedgerTime {
  /** Replaces the ledger's clock in tests. Ms since 1970. */
  readonly ledgerTime?: number;
}

export interface Instance extends Machine {
  readonly id: string;
  readonly pid: number;
  /** Milliseconds by which the ledger's clock is ahead of this process; null if that was not measured. */
  readonly clockSkewMs: number | null;
}

export type Heartbeat = Instance & LedgerTime;

export interface InstanceState extends Instance {
  /** Time of its last heartbeat by the ledger's clock. */
  readonly seenAt: number;
  /** Milliseconds since then. */
  readonly silentMs: number;
}
