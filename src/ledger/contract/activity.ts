/** Requests per day, the last sweeps and the last calls of hooks. Written in batches, read by the web page. */
export interface ActivityStore {
  /** Adds counts to those of a day. The counts of several processes are added together. */
  addDailyCounts(counts: DailyCounts): Promise<void>;
  /** Lists the days since a time, the oldest first. Days without requests may be absent. */
  listDailyCounts(query: { readonly since: number }): Promise<DailyCounts[]>;

  /** Records a finished sweep. Only the latest `MAX_SWEEP_RUNS` are kept. */
  recordSweep(run: SweepRun): Promise<void>;
  /** Lists the recorded sweeps, the latest first. */
  listSweeps(): Promise<SweepRun[]>;

  /** Replaces the last call of these hooks, unless a later one is recorded. Each hook at most once. */
  recordHookCalls(calls: readonly HookCall[]): Promise<void>;
  /** Lists the last call of each hook, by name. */
  listHookCalls(): Promise<HookCall[]>;
}

/** The requests of one day. */
export interface DailyCounts {
  /** The beginning of the day in UTC. */
  readonly day: number;
  /** Stored uploads. */
  readonly uploads: number;
  readonly downloads: number;
  /** Refused requests of every kind. */
  readonly refusals: number;
}

/** Counts of the rows that a sweep has removed. */
export interface SweepCounts {
  /** Slots that expired unused. */
  readonly unused: number;
  /** Removed uploads by reason, and their bytes. */
  readonly expired: number;
  readonly softQuota: number;
  readonly bytes: number;
  /** Released claims of dead processes. */
  readonly deadClaims: number;
  /** Deleted removal records. */
  readonly records: number;
}

export interface SweepRun extends SweepCounts {
  /** A time-ordered id. */
  readonly id: string;
  readonly startedAt: number;
  readonly durationMs: number;
}

export const MAX_SWEEP_RUNS = 50;

/** The last call of a hook. */
export interface HookCall {
  /** Name of the hook in the config. */
  readonly hook: string;
  readonly at: number;
  /** HTTP status of the answer. */
  readonly status: number;
  /** The network address of the client. */
  readonly address: string;
  /** The User-Agent of the client. */
  readonly program: string;
  /** Text of the refusal; `''` after success. */
  readonly refusal: string;
}
