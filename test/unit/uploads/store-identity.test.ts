import assert from 'node:assert/strict';
import { rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { openFsBlobs } from '../../../src/blobs/fs/fs-blobs.ts';
import { removeUploads } from '../../../src/uploads/remove.ts';
import {
  joinStores,
  rejoinStores,
  requireWritableStores,
} from '../../../src/uploads/store-identity/join-stores.ts';
import { StoreIdentityError } from '../../../src/uploads/store-identity/store-identity-error.ts';
import { readStoreState } from '../../../src/uploads/store-identity/store-state.ts';
import { pendingKeys } from '../../support/pending-keys.ts';
import { openTestServices, type TestServices } from '../../support/test-services.ts';

const LOCATIONS = { ledger: '/var/lib/porter/porter.db', blobs: '/var/lib/porter/blobs' };

const joinBoth = ({ services }: TestServices) => joinStores(services, LOCATIONS);
const blobsFolder = ({ folder }: TestServices) => join(folder, 'blobs');

async function* bytes(text: string): AsyncGenerator<Buffer[]> {
  yield [Buffer.from(text)];
}

/** Replaces the blob folder by an empty one, as when a volume is not mounted. */
async function unmount(env: TestServices): Promise<() => Promise<void>> {
  const folder = blobsFolder(env);
  await rename(folder, `${folder}.away`);
  openFsBlobs({ root: folder, sync: false });
  return async () => {
    await rm(folder, { recursive: true });
    await rename(`${folder}.away`, folder);
  };
}

async function refusal(run: Promise<unknown>): Promise<StoreIdentityError> {
  const error = await run.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  assert.ok(error instanceof StoreIdentityError, String(error));
  return error;
}

describe('store identity', () => {
  test('is written to both empty stores at the first start', async (t) => {
    const env = await openTestServices(t);
    assert.equal(await joinBoth(env), 'new');
    assert.equal(await joinBoth(env), 'same');
    const identity = await env.services.ledger.storeIdentity();
    assert.deepEqual(identity, { id: await env.services.blobs.readIdentity(), isMarked: true });
  });

  test('is completed after a kill between ledger and marker', async (t) => {
    const env = await openTestServices(t);
    await env.services.ledger.setStoreIdentity({ id: 'begun', isMarked: false, replaces: null });
    await joinBoth(env);
    assert.equal(await env.services.blobs.readIdentity(), 'begun');
    assert.equal((await env.services.ledger.storeIdentity())?.isMarked, true);
  });

  test('is the same for processes that start at once', async (t) => {
    const env = await openTestServices(t);
    await Promise.all(Array.from({ length: 5 }, () => joinBoth(env)));
    assert.equal((await readStoreState(env.services)).kind, 'same');
  });

  test('refuses a store whose volume is not mounted, and accepts it after the mount', async (t) => {
    const env = await openTestServices(t);
    await joinBoth(env);
    await env.upload();
    const mount = await unmount(env);
    const error = await refusal(joinBoth(env));
    assert.equal(error.state.kind, 'marker_missing');
    assert.match(error.message, /\/var\/lib\/porter\/blobs has no marker.*0 have their file.*mounted/);
    await refusal(requireWritableStores(env.services, LOCATIONS));
    await mount();
    assert.equal(await joinBoth(env), 'same');
  });

  test('keeps bytes and their record while the volume is not mounted, and deletes them later', async (t) => {
    const env = await openTestServices(t);
    const { ledger, blobs } = env.services;
    await joinBoth(env);
    const slot = await env.upload();
    const blob = (await ledger.find(slot.id))?.blob ?? '';
    const mount = await unmount(env);
    await removeUploads(env.services, { ids: [slot.id], reason: 'deleted', detail: 'test' });
    assert.deepEqual(await pendingKeys(ledger), [blob]);
    await mount();
    await removeUploads(env.services, { ids: [], reason: 'deleted', detail: 'test' });
    assert.deepEqual(await pendingKeys(ledger), []);
    assert.equal(await blobs.size(blob), undefined);
  });

  test('accepts no file into a folder whose volume was unmounted while the server runs', async (t) => {
    const env = await openTestServices(t);
    await joinBoth(env);
    await unmount(env);
    await assert.rejects(
      env.services.blobs.put('ab/ab000000000000000000000000.txt', bytes('lost')),
      /mounted/,
    );
  });

  test('refuses a new database beside a store with files, and leaves the files alone', async (t) => {
    const [env, other] = [await openTestServices(t), await openTestServices(t)];
    await joinBoth(env);
    await env.upload();
    const mixed = { ...env.services, ledger: other.services.ledger };
    const error = await refusal(joinStores(mixed, LOCATIONS));
    assert.equal(error.state.kind, 'ledger_unknown');
    assert.match(error.message, /storage\.ledger/);
  });

  test('refuses the store of another database', async (t) => {
    const [env, other] = [await openTestServices(t), await openTestServices(t)];
    await Promise.all([joinBoth(env), joinBoth(other)]);
    const error = await refusal(joinStores({ ...env.services, ledger: other.services.ledger }, LOCATIONS));
    assert.equal(error.state.kind, 'other_store');
  });

  test('accepts an installation from before only if samples of both stores agree', async (t) => {
    const [env, other] = [await openTestServices(t), await openTestServices(t)];
    for (const one of [env, other]) await one.upload();
    const mixed = { ...env.services, ledger: other.services.ledger };
    assert.equal((await refusal(joinStores(mixed, LOCATIONS))).state.kind, 'unrelated');
    assert.equal((await refusal(requireWritableStores(env.services, LOCATIONS))).state.kind, 'from_before');
    const mount = await unmount(env);
    assert.equal((await refusal(joinBoth(env))).state.kind, 'unrelated');
    await mount();
    assert.equal(await joinBoth(env), 'from_before');
    assert.equal(await joinBoth(env), 'same');
  });

  test('is tied again on purpose, which cuts off every other database of the store', async (t) => {
    const [env, other] = [await openTestServices(t), await openTestServices(t)];
    await joinBoth(env);
    await rejoinStores({ ledger: other.services.ledger, blobs: env.services.blobs });
    assert.equal((await refusal(joinBoth(env))).state.kind, 'other_store');
    await rejoinStores(env.services);
    assert.equal(await joinBoth(env), 'same');
  });

  test('lets no command write while the ledger is moved', async (t) => {
    const env = await openTestServices(t);
    await joinBoth(env);
    await env.services.ledger.setMigrationState('moved');
    await assert.rejects(requireWritableStores(env.services, LOCATIONS), /The ledger was moved/);
  });
});
