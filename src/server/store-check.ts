import { joinStores } from '../uploads/store-identity/join-stores.ts';
import { storeIdentityError } from '../uploads/store-identity/store-identity-error.ts';
import { isSameStore, readStoreState } from '../uploads/store-identity/store-state.ts';
import type { Runtime } from './runtime.ts';
import { storeLocations } from './stores.ts';

/**
 * Refuses to serve with a file store that does not belong to the ledger. While a ledger is moved, `porter move` writes its
 * identity, and nothing but downloads works.
 */
export async function joinServerStores({
  services,
  config,
  log,
}: Pick<Runtime, 'services' | 'config' | 'log'>) {
  const migrationState = await services.ledger.migrationState();
  if (migrationState !== 'open') return;
  const join = await joinStores(services, storeLocations(config));
  if (join === 'new') log.info('new storage: database and file store are tied together by an id');
  if (join === 'from_before')
    log.warn(
      storeLocations(config),
      'storage from an earlier version: a sample of the files agrees, so database and file store are now tied together by an id',
    );
}

/** Rejects if the mounted file store is not the one of the ledger. For `/readyz`. */
export async function assertSameStore({
  services: { ledger, blobs },
  config,
}: Pick<Runtime, 'services' | 'config'>): Promise<void> {
  if (await isSameStore({ ledger, blobs })) return;
  // The old ledger of a move that shares its file store has handed its identity over.
  if ((await ledger.migrationState()) !== 'open') return;
  throw storeIdentityError(await readStoreState({ ledger, blobs }), storeLocations(config));
}
