import type { StoreSample, StoreState } from './store-state.ts';

/** The locations of the stores, in words for the admin. */
export interface StoreLocations {
  readonly ledger: string;
  readonly blobs: string;
}

/** The ledger and the blob store do not belong together. The message says what was found and what to check. */
export class StoreIdentityError extends Error {
  readonly kind = 'mismatch';
  readonly state: StoreState;

  constructor(state: StoreState, message: string, cause?: unknown) {
    super(message, { cause });
    this.name = 'StoreIdentityError';
    this.state = state;
  }
}

const REJOIN = 'If both are right, for example after a restore, run: porter fsck --rejoin';
const CHECK_VOLUME =
  'Check that the volume of storage.blobs is mounted, and that the config names the right folder or bucket.';

/** Builds the error of stores that do not belong together. */
export function storeIdentityError(state: StoreState, locations: StoreLocations): StoreIdentityError {
  return new StoreIdentityError(
    state,
    `${describeState(state, locations)} ${describeSample(state.sample)} ${adviceFor(state)}`,
  );
}

/** Builds the error of a file store to which the marker cannot be written. */
export function unwritableStoreError(
  state: StoreState,
  { blobs }: StoreLocations,
  cause: unknown,
): StoreIdentityError {
  const reason = cause instanceof Error ? cause.message : String(cause);
  const remedy = blobs.startsWith('s3://')
    ? 'The keys must allow writing to the bucket: docs/s3.md has the policy.'
    : `The folder must belong to the user that runs Porter (now uid ${process.getuid?.()}), on a disk that is mounted for writing. ` +
      `If the owner is wrong, run: chown -R porter ${blobs}`;
  return new StoreIdentityError(state, `Cannot write to storage.blobs, ${blobs}: ${reason} ${remedy}`, cause);
}

function describeState({ kind, ledgerId, storeId }: StoreState, { ledger, blobs }: StoreLocations): string {
  switch (kind) {
    case 'marker_missing':
      return `The file store ${blobs} has no marker porter-store-id, but the database ${ledger} belongs to a store with the id ${ledgerId}.`;
    case 'other_store':
      return `The file store ${blobs} has the id ${storeId}, but the database ${ledger} belongs to the store ${ledgerId}.`;
    case 'ledger_unknown':
      return `The file store ${blobs} has the id ${storeId}, but the database ${ledger} belongs to no store yet.`;
    case 'unrelated':
      return `The database ${ledger} and the file store ${blobs} do not have the same files.`;
    case 'from_before':
      return `The database ${ledger} and the file store ${blobs} are from an earlier version and have no common id yet.`;
    case 'same':
    case 'new':
      return `The database ${ledger} and the file store ${blobs} belong together.`;
  }
}

/** Says how many files each store has in common with the other. */
export function describeSample(sample: StoreSample | undefined): string {
  if (!sample) return '';
  const { uploads, uploadsFound, blobs, blobsKnown } = sample;
  return (
    `Of ${uploads} sampled uploads in the database, ${uploadsFound} have their file there; ` +
    `of ${blobs} sampled files there, the database knows ${blobsKnown}.`
  );
}

function adviceFor({ kind }: StoreState): string {
  if (kind === 'from_before') return 'Start porter serve once: it ties them together.';
  if (kind === 'ledger_unknown')
    return `Check that storage.ledger names the right database, and that it is complete. ${REJOIN}`;
  return `${CHECK_VOLUME} ${REJOIN}`;
}
