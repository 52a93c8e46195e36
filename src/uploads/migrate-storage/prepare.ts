import type { BlobStore } from '../../blobs/contract.ts';
import type { CopiedTable, Ledger } from '../../ledger/contract/ledger.ts';

/** Where a Porter keeps what it has. */
export interface StorageBackend {
  readonly ledger: Ledger;
  readonly blobs: BlobStore;
}

export interface MigrationContext {
  readonly source: StorageBackend;
  readonly target: StorageBackend;
  /** Both find their blobs in one and the same store: only the ledger moves. */
  readonly sharedBlobs: boolean;
  readonly observer: MigrationObserver;
  /** Ends the work between two batches; what has been carried stays. */
  readonly signal: AbortSignal;
}

/** What goes on, for whoever waits. */
export interface MigrationObserver {
  /** A walk over all uploads begins; about so many there are. */
  onPass(what: 'carry' | 'close' | 'check' | 'compare', uploads: number): void;
  /** So many of them have been looked at in this walk; `bytes` were copied in all. */
  onProgress(uploads: number, bytes: number): void;
  /** Something that the old place has lost already, or has of another length than it says. */
  onProblem(problem: MigrationProblem): void;
}

export interface MigrationProblem {
  readonly id: string;
  readonly kind: 'missing' | 'wrong_size';
}

/** What was done so far. */
export interface MigrationReport {
  /** Rows that were written or taken out, of all tables. */
  rows: number;
  /** Files whose bytes were copied, and those bytes. */
  files: number;
  bytes: number;
  problems: number;
}

/** A move that cannot go on; the message says why and what to do. */
export class MigrationError extends Error {}

const MUST_BE_EMPTY: readonly CopiedTable[] = ['owners', 'uploads', 'removals', 'old_paths', 'queue_items'];

/**
 * Makes the new place ready to be filled: an empty one, one that a move was filling, or one that everything has
 * left before. `done` where the move was finished.
 */
export async function prepareTarget({
  source,
  target,
}: Pick<MigrationContext, 'source' | 'target'>): Promise<'ready' | 'done'> {
  const [here, there] = [await source.ledger.migrationState(), await target.ledger.migrationState()];
  if (here === 'importing') {
    throw new MigrationError('The place to leave is itself still being filled: finish that move first.');
  }
  if (there === 'open' && here === 'moved') return 'done';
  if (there === 'closing') throw new MigrationError('A move away from the new place is under way.');
  if (there === 'open') await refuseOccupied(target);
  if (there !== 'importing') await target.ledger.setMigrationState('importing');
  return 'ready';
}

/** Also meets whoever names one place twice. */
async function refuseOccupied({ ledger }: StorageBackend): Promise<void> {
  for (const table of MUST_BE_EMPTY) {
    if ((await ledger.countRows({ table })) === 0) continue;
    throw new MigrationError('The new place has a ledger of its own in use: a move needs an empty one.');
  }
}
