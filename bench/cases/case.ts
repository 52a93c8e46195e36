import type { PeerName } from '../../test/real/peers/peers.ts';
import type { BenchEnvironment } from '../environment.ts';

/** One thing that is measured. */
export interface Case {
  /** For filters. */
  readonly name: string;
  readonly title: string;
  /** What it cannot do without. Peers that are only compared with are left out where they are missing. */
  readonly needs: readonly PeerName[];
  measure(world: BenchEnvironment): Promise<Outcome>;
}

/** What came out, for people and for `--json`. */
export interface Outcome {
  /** Of all figures, e.g. `requests/s`. */
  readonly unit: string;
  readonly rows: readonly Row[];
  readonly targets?: readonly Target[];
  /** What a reader must know to understand the figures. */
  readonly notes?: readonly string[];
}

export interface Row {
  readonly name: string;
  /** Is it Porter? Every other row gets the ratio of each of these to it. */
  readonly isPorter: boolean;
  /** A figure a round, in the order of the rounds; rows of one case can be compared round by round. */
  readonly figures: readonly number[];
  /** Likewise: microseconds of processor time that the server itself used for each request, slot or megabyte. */
  readonly cpu?: readonly number[];
}

/** Something that was promised. Nothing fails where it is missed. */
export interface Target {
  readonly text: string;
  readonly measured: string;
  readonly met: boolean;
}
