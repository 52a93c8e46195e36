import type { Blobs } from '../../blobs/contract.ts';
import type { CarriedTable, Ledger } from '../../ledger/contract.ts';

/** Where a Porter keeps what it has. */
export interface Place {
  readonly ledger: Ledger;
  readonly blobs: Blobs;
}

export interface MoveDeps {
  readonly from: Place;
  readonly to: Place;
  /** Both find their blobs in one and the same store: only the ledger moves. */
  readonly oneStore: boolean;
  readonly tell: Tell;
  /** Ends the work between two batches; what has been carried stays. */
  readonly signal: AbortSignal;
}

/** What goes on, for whoever waits. */
export interface Tell {
  /** A walk over all uploads begins; about so many there are. */
  pass(what: 'carry' | 'close' | 'check' | 'compare', uploads: number): void;
  /** So many of them have been looked at in this walk; `bytes` were copied in all. */
  progress(uploads: number, bytes: number): void;
  /** Something that the old place has lost already, or has of another length than it says. */
  problem(problem: Problem): void;
}

export interface Problem {
  readonly id: string;
  readonly kind: 'missing' | 'wrong_size';
}

/** What was done so far. */
export interface MoveReport {
  /** Rows that were written or taken out, of all tables. */
  rows: number;
  /** Files whose bytes were copied, and those bytes. */
  files: number;
  bytes: number;
  problems: number;
}

/** A move that cannot go on; the message says why and what to do. */
export class MoveFailure extends Error {}

const MUST_BE_EMPTY: readonly CarriedTable[] = ['owners', 'uploads', 'removals', 'old_paths', 'queued'];

/**
 * Makes the new place ready to be filled: an empty one, one that a move was filling, or one that everything has
 * left before. `done` where the move was finished.
 */
export async function prepare({ from, to }: Pick<MoveDeps, 'from' | 'to'>): Promise<'ready' | 'done'> {
  const [here, there] = [await from.ledger.standing(), await to.ledger.standing()];
  if (here === 'arriving') {
    throw new MoveFailure('The place to leave is itself still being filled: finish that move first.');
  }
  if (there === 'open' && here === 'away') return 'done';
  if (there === 'closing') throw new MoveFailure('A move away from the new place is under way.');
  if (there === 'open') await refuseOccupied(to);
  if (there !== 'arriving') await to.ledger.stand('arriving');
  return 'ready';
}

/** Also meets whoever names one place twice. */
async function refuseOccupied({ ledger }: Place): Promise<void> {
  for (const table of MUST_BE_EMPTY) {
    if ((await ledger.countRows({ table })) === 0) continue;
    throw new MoveFailure('The new place has a ledger of its own in use: a move needs an empty one.');
  }
}
