import { joinStores } from '../uploads/store-identity/join-stores.ts';
import { storeIdentityError } from '../uploads/store-identity/store-identity-error.ts';
import { isSameStore, readStoreState } from '../uploads/store-identity/store-state.ts';
import type { Runtime } from './runtime.ts';
import { storeLocations } from './stores.ts';

/**
 * Throws if the file store does not belong to the ledger. Does nothing while the ledger is moved: then `porter move` writes its identity,
 * and only downloads work.
 */
export async function joinServerStores({
  services,
  config,
  log,
}: Pick<Runtime, 'services' | 'config' | 'log'>) {
  const migrationState = await services.ledger.migrationState();
  if (migrationState !== 'open') return;
  const join = await joinStores(services, storeLocations(config));
  if (join === 'new') log.info('new storage: database and file store now have a common id');
  if (join === 'from_before')
    log.warn(
      storeLocations(config),
      'storage from an earlier version: a sample of the files matches the database, so database and file store now have a common id',
    );
}

/** Rejects if the mounted file store is not the one of the ledger. For `/readyz`. */
export async function assertSameStore({
  services: { ledger, blobs },
  config,
}: Pick<Runtime, 'services' | 'config'>): Promise<void> {
  if (await isSameStore({ ledger, blobs })) return;
  // After a move with a shared file store, its identity is that of the new ledger.
  if ((await ledger.migrationState()) !== 'open') return;
  throw storeIdentityError(await readStoreState({ ledger, blobs }), storeLocations(config));
}
