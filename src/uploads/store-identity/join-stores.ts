import { randomId } from '../../base/ids.ts';
import { LedgerError, MIGRATION_STATE_MESSAGES } from '../../ledger/contract/ledger.ts';
import { type StoreLocations, storeIdentityError, unwritableStoreError } from './store-identity-error.ts';
import { readStoreState, type StorePair } from './store-state.ts';

/** The state in which `joinStores` has found the stores. */
export type StoreJoin = 'same' | 'new' | 'from_before';

/**
 * Makes sure that ledger and store belong together. Writes the identity of a new installation, and of an installation of an
 * earlier version, which has none. Throws `StoreIdentityError` if the stores do not belong together.
 */
export async function joinStores(stores: StorePair, locations: StoreLocations): Promise<StoreJoin> {
  const state = await readStoreState(stores);
  if (state.kind === 'same') await confirmMarker(stores, state.ledgerId);
  else if (state.kind === 'new' || state.kind === 'from_before') await writeIdentity(stores, locations);
  else throw storeIdentityError(state, locations);
  return state.kind;
}

/**
 * Throws unless a command may write: the ledger is not being moved, and it belongs to the store. Ties empty stores together, but
 * leaves an installation of an earlier version to `porter serve`.
 */
export async function requireWritableStores(stores: StorePair, locations: StoreLocations): Promise<void> {
  await requireOpenLedger(stores);
  const state = await readStoreState(stores);
  if (state.kind === 'new') await writeIdentity(stores, locations);
  else if (state.kind !== 'same') throw storeIdentityError(state, locations);
}

/** Writes the id to the ledger first. If several processes start at once, all of them write the marker with the first id. */
async function writeIdentity(stores: StorePair, locations: StoreLocations): Promise<void> {
  const { ledger, blobs } = stores;
  const { id } = await ledger.setStoreIdentity({ id: randomId(), isMarked: false, replaces: null });
  await blobs.writeIdentity(id).catch(async (cause: unknown) => {
    throw unwritableStoreError(await readStoreState(stores), locations, cause);
  });
  const state = await readStoreState(stores);
  if (state.kind !== 'same') throw storeIdentityError(state, locations);
  await confirmMarker(stores, id);
}

async function confirmMarker({ ledger }: StorePair, id: string | null): Promise<void> {
  const identity = await ledger.storeIdentity();
  if (id === null || identity?.isMarked) return;
  await ledger.setStoreIdentity({ id, isMarked: true, replaces: id });
}

/**
 * Ties the ledger to the store with a new id, whatever ids they have. Any other ledger that was tied to the store, such as an old
 * copy, no longer belongs to it. If the process is killed in between, the ids differ, and the call can be repeated.
 */
export async function rejoinStores({ ledger, blobs }: StorePair): Promise<string> {
  const id = randomId();
  const current = await ledger.storeIdentity();
  const set = await ledger.setStoreIdentity({ id, isMarked: false, replaces: current?.id ?? null });
  if (set.id !== id) throw new Error('Another process has changed the identity of the database. Try again.');
  await blobs.writeIdentity(id, { replace: true });
  await ledger.setStoreIdentity({ id, isMarked: true, replaces: id });
  return id;
}

/** Throws `LedgerError` unless the migration state is `open`. */
export async function requireOpenLedger({ ledger }: Pick<StorePair, 'ledger'>): Promise<void> {
  const migrationState = await ledger.migrationState();
  if (migrationState !== 'open') throw new LedgerError('moved', MIGRATION_STATE_MESSAGES[migrationState]);
}
