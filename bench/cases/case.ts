import type { PeerName } from '../../test/real/peers/peers.ts';
import type { BenchEnvironment } from '../environment.ts';

/** One benchmark case. */
export interface Case {
  /** The name for filters. */
  readonly name: string;
  readonly title: string;
  /** Required peers. A missing peer that is only compared with Porter is left out. */
  readonly needs: readonly PeerName[];
  measure(environment: BenchEnvironment): Promise<Outcome>;
}

/** The results, for the table and for `--json`. */
export interface Outcome {
  /** The unit of all figures, such as `requests/s`. */
  readonly unit: string;
  readonly rows: readonly Row[];
  readonly targets?: readonly Target[];
  /** Notes that explain the figures. */
  readonly notes?: readonly string[];
}

export interface Row {
  readonly name: string;
  /** Whether this row is Porter; the other rows show the ratio of Porter to them. */
  readonly isPorter: boolean;
  /** Only the row of Porter with the same value is compared with this row. Undefined: every row of Porter is compared. */
  readonly group?: string;
  /** One figure per round, so that rows can be compared round by round. */
  readonly figures: readonly number[];
  /** Per round: microseconds of CPU time of the server per request, slot or megabyte. */
  readonly cpu?: readonly number[];
}

/** A target. Missing it does not fail the run. */
export interface Target {
  readonly text: string;
  readonly measured: string;
  readonly met: boolean;
}
