import { formatCount } from '../../base/units.ts';
import type { BlobStore } from '../../blobs/contract.ts';
import type { Ledger } from '../../ledger/contract/ledger.ts';
import { finishMigration } from '../migrate-storage/migrate-storage.ts';
import { MigrationError, type MigrationObserver, type MigrationReport } from '../migrate-storage/prepare.ts';
import type { StoreLocations } from '../store-identity/store-identity-error.ts';
import { readStoreState } from '../store-identity/store-state.ts';

export interface RestoreContext {
  /** A copy of the backup, which the restore changes. `blobs` is undefined if the backup has no files. */
  readonly backup: { readonly ledger: Ledger; readonly blobs: BlobStore | undefined };
  readonly target: { readonly ledger: Ledger; readonly blobs: BlobStore };
  readonly locations: StoreLocations;
  /** Restores a ledger even if the file store does not seem to be the one of the backup. */
  readonly force: boolean;
  readonly observer: MigrationObserver;
  readonly signal: AbortSignal;
}

/**
 * Copies a backup into an empty ledger, and its files, if it has some, into an empty store. Compares both with the backup before
 * the ledger is opened. Can be repeated after an interruption. Ledger and store get a new common id, so that an old copy of either
 * cannot change the other. Throws `MigrationError` with what to do if a target is not empty or not the one of the backup.
 */
export async function restoreBackup(context: RestoreContext): Promise<MigrationReport> {
  const { backup, target, locations, observer, signal } = context;
  await requireEmptyLedger(context);
  if (backup.blobs) await requireEmptyStore(context);
  else if (!context.force) await requireStoreOfBackup(context);
  // The backup may be a copy of the ledger file that was made during a move.
  await backup.ledger.setMigrationState('open');
  const report: MigrationReport = { rows: 0, files: 0, bytes: 0, problems: 0 };
  const source = { ledger: backup.ledger, blobs: backup.blobs ?? target.blobs };
  const sharedBlobs = backup.blobs === undefined;
  const migration = { source, target, sharedBlobs, targetLocations: locations, observer, signal };
  await finishMigration(migration, report, { compareBytes: !sharedBlobs, drainTimeoutMs: 0 });
  return report;
}

async function requireEmptyLedger({ target: { ledger }, locations }: RestoreContext): Promise<void> {
  // An interrupted restore leaves this state. It is continued.
  if ((await ledger.migrationState()) === 'importing') return;
  const { uploads, owners } = await ledger.stats();
  if (uploads === 0 && owners === 0) return;
  throw new MigrationError(
    `The database ${locations.ledger} is not empty: it has ${formatCount(uploads, 'file')}. Nothing was restored. ` +
      'Stop Porter, move the database away with its -wal and -shm files, or set storage.ledger to a new one.',
  );
}

async function requireEmptyStore({ target: { ledger, blobs }, locations }: RestoreContext): Promise<void> {
  if ((await ledger.migrationState()) === 'importing') return;
  for await (const _ of blobs.list()) {
    throw new MigrationError(
      `The file store ${locations.blobs} is not empty. Nothing was restored. Move its files away, or set storage.blobs to ` +
        'a new folder or bucket. To restore only the database, rename the folder with the files of the backup.',
    );
  }
  const [identity, marker] = [await ledger.storeIdentity(), await blobs.readIdentity()];
  // The files of the store were removed, but not its marker. The new ledger takes over the id.
  if (marker !== undefined && identity?.id !== marker)
    await ledger.setStoreIdentity({ id: marker, isMarked: true, replaces: identity?.id ?? null });
}

/** Throws unless the target store has the files that the ledger of the backup describes. For a backup without files. */
async function requireStoreOfBackup({ backup, target, locations }: RestoreContext): Promise<void> {
  const state = await readStoreState({ ledger: backup.ledger, blobs: target.blobs });
  if (state.kind === 'same' || state.kind === 'new' || state.kind === 'from_before') return;
  const found = state.sample
    ? ` It has ${state.sample.uploadsFound} of ${state.sample.uploads} sampled files.`
    : '';
  throw new MigrationError(
    `The file store ${locations.blobs} is not the one of this backup.${found} Nothing was restored. Correct storage.blobs, ` +
      'or put the files there first, with the file porter-store-id. To restore the database anyway, add --force.',
  );
}
