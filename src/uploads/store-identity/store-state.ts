import { idInBlobKey } from '../../base/blob-keys.ts';
import type { StoreIdentity } from '../../ledger/contract/ledger.ts';
import type { UploadServices } from '../services.ts';

/*
 * A ledger and its blob store share a random id: a row in the ledger, and a marker in the root of the folder or bucket.
 * Without it, a volume that is not mounted looks like a store that has lost all files.
 *
 *   ledger            store       state                what `porter serve` does
 *   id                same id     same                 serves
 *   none, or an id    none        new, if both have    writes the id, then the marker, then confirms the id
 *   without marker                no data; from_before, if samples of both agree; else unrelated
 *   id with marker    none        marker_missing       refuses
 *   id                other id    other_store          refuses
 *   none              id          ledger_unknown       refuses
 *
 * A kill between the three writes leaves an id without a confirmed marker, and the next start repeats them.
 */

export type StorePair = Pick<UploadServices, 'ledger' | 'blobs'>;

/** Files that were looked up in the other store. */
export interface StoreSample {
  /** Stored uploads of the ledger, and how many of them the store has with their size. */
  readonly uploads: number;
  readonly uploadsFound: number;
  /** Files of the store, and how many of them the ledger knows. */
  readonly blobs: number;
  readonly blobsKnown: number;
}

export type StoreStateKind =
  | 'same'
  | 'new'
  | 'from_before'
  | 'unrelated'
  | 'marker_missing'
  | 'other_store'
  | 'ledger_unknown';

export interface StoreState {
  readonly kind: StoreStateKind;
  readonly ledgerId: string | null;
  readonly storeId: string | null;
  /** Undefined if the ids are the same. */
  readonly sample?: StoreSample;
}

/** Uploads from each end of the ledger, and files of the store, that are looked up in the other one. */
const SAMPLE = 20;
/** Share of the sampled uploads whose files must exist before an installation without an identity is accepted. */
const UPLOADS_FOUND = 0.9;
/** Share of the sampled files that the ledger must know. Lower, because crashes of older versions left orphaned files. */
const BLOBS_KNOWN = 0.5;

/** Reads both ids. Samples both stores unless the ids are the same. */
export async function readStoreState(stores: StorePair): Promise<StoreState> {
  let [identity, storeId] = await readIds(stores);
  // Another process that starts for the first time may have written both between the two reads.
  if (identity?.id !== storeId) [identity, storeId] = await readIds(stores);
  const ids = { ledgerId: identity?.id ?? null, storeId: storeId ?? null };
  if (identity && identity.id === storeId) return { kind: 'same', ...ids };
  const sample = await sampleStores(stores);
  return { kind: compareStores(identity, storeId, sample), ...ids, sample };
}

async function readIds({ ledger, blobs }: StorePair): Promise<[StoreIdentity | null, string | undefined]> {
  return await Promise.all([ledger.storeIdentity(), blobs.readIdentity()]);
}

function compareStores(
  identity: StoreIdentity | null,
  storeId: string | undefined,
  { uploads, uploadsFound, blobs, blobsKnown }: StoreSample,
): StoreStateKind {
  if (storeId !== undefined) return identity ? 'other_store' : 'ledger_unknown';
  if (identity?.isMarked) return 'marker_missing';
  if (uploads === 0 && blobs === 0) return 'new';
  const agree = uploadsFound >= uploads * UPLOADS_FOUND && blobsKnown >= blobs * BLOBS_KNOWN;
  return agree ? 'from_before' : 'unrelated';
}

async function sampleStores(stores: StorePair): Promise<StoreSample> {
  const { ledger, blobs } = stores;
  const query = { state: 'stored', limit: SAMPLE / 2 } as const;
  const ends = [await ledger.listUploads(query), await ledger.listUploads({ ...query, newestFirst: true })];
  const uploads = [...new Map(ends.flat().map((upload) => [upload.id, upload])).values()];
  const sizes = await Promise.all(uploads.map(({ blob }) => blobs.size(blob)));
  const keys = await firstBlobs(stores);
  const known = new Set(await ledger.findExistingIds(keys.map(idInBlobKey)));
  return {
    uploads: uploads.length,
    uploadsFound: uploads.filter(({ size }, i) => sizes[i] === size).length,
    blobs: keys.length,
    blobsKnown: keys.filter((key) => known.has(idInBlobKey(key))).length,
  };
}

async function firstBlobs({ blobs }: StorePair): Promise<string[]> {
  const keys: string[] = [];
  for await (const { key } of blobs.list()) if (keys.push(key) === SAMPLE) break;
  return keys;
}

/** Returns true if ledger and store have the same id, or neither has one. Cheap enough to be called before each deletion. */
export async function isSameStore(stores: StorePair): Promise<boolean> {
  const [identity, storeId] = await readIds(stores);
  return identity?.id === storeId;
}

/** Returns true if files may be deleted or moved: the ledger is not being moved, and the store is the one of this ledger. */
export async function mayRemoveFiles(stores: StorePair): Promise<boolean> {
  return (await stores.ledger.migrationState()) === 'open' && (await isSameStore(stores));
}
