import type { BlobStore } from '../../blobs/contract.ts';
import type { CopiedTable, Ledger } from '../../ledger/contract/ledger.ts';
import { joinStores } from '../store-identity/join-stores.ts';
import type { StoreLocations } from '../store-identity/store-identity-error.ts';

/** The stores of one Porter installation. */
export interface StorageBackend {
  readonly ledger: Ledger;
  readonly blobs: BlobStore;
}

export interface MigrationContext {
  readonly source: StorageBackend;
  readonly target: StorageBackend;
  /** True if source and target use the same blob store, so that only the ledger moves. */
  readonly sharedBlobs: boolean;
  /** The locations of the target's stores, in words for the admin. */
  readonly targetLocations: StoreLocations;
  readonly observer: MigrationObserver;
  /** Ends the work between two batches. Copied data stays in the target. */
  readonly signal: AbortSignal;
}

/** Receives the progress of a migration. */
export interface MigrationObserver {
  /** A pass over all uploads begins. `uploads` is their approximate number. */
  onPass(pass: 'copy' | 'close' | 'verify' | 'compare', uploads: number): void;
  /** `uploads` were checked in this pass, and `bytes` were copied in all passes. */
  onProgress(uploads: number, bytes: number): void;
  /** The source has lost the bytes of an upload, or has another size than its ledger. */
  onProblem(problem: MigrationProblem): void;
}

export interface MigrationProblem {
  readonly id: string;
  readonly kind: 'missing' | 'wrong_size';
}

/** Totals of all passes. */
export interface MigrationReport {
  /** Rows written or deleted in the target, of all tables. */
  rows: number;
  /** Copied files, and their bytes. */
  files: number;
  bytes: number;
  problems: number;
}

/** A migration cannot continue. The message says why and what to do. */
export class MigrationError extends Error {}

const MUST_BE_EMPTY: readonly CopiedTable[] = ['owners', 'uploads', 'removals', 'old_paths', 'queue_items'];

/**
 * Prepares the target, which must be empty, or partly filled by an earlier run, or the source of an earlier migration.
 * Returns `done` if the migration is already finished.
 *
 *   step                       source    target
 *   start                      open      open (empty) or moved
 *   copy                       open      importing
 *   --finish: drain uploads    closing   importing
 *   --finish: last pass        moved     importing
 *   finished                   moved     open
 *
 * A failure of --finish, or --cancel before the target is open, sets the source back to open.
 */
export async function prepareTarget({
  source,
  target,
  sharedBlobs,
  targetLocations,
}: Pick<MigrationContext, 'source' | 'target' | 'sharedBlobs' | 'targetLocations'>): Promise<
  'ready' | 'done'
> {
  const [sourceState, targetState] = [
    await source.ledger.migrationState(),
    await target.ledger.migrationState(),
  ];
  if (sourceState === 'importing') {
    throw new MigrationError(
      'The storage to move from is itself still being filled. Finish that move first.',
    );
  }
  if (targetState === 'open' && sourceState === 'moved') return 'done';
  if (targetState === 'closing')
    throw new MigrationError('Another move is moving the new storage away. Finish or cancel it first.');
  if (targetState === 'open') await assertEmpty(target);
  if (targetState !== 'importing') await target.ledger.setMigrationState('importing');
  // A shared store keeps the id of the source until the switch.
  if (!sharedBlobs) await joinStores(target, targetLocations);
  return 'ready';
}

/** Throws if the target has data. This is also the case if source and target are the same ledger. */
async function assertEmpty({ ledger }: StorageBackend): Promise<void> {
  for (const table of MUST_BE_EMPTY) {
    if ((await ledger.countRows({ table })) === 0) continue;
    throw new MigrationError(
      'The new storage already contains data. Set storage.ledger of the new config to an empty database.',
    );
  }
}
