import assert from 'node:assert/strict';
import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, type TestContext, test } from 'node:test';
import { BlobError } from '../../../src/blobs/contract.ts';
import { deletePendingBlobs } from '../../../src/uploads/blobs/delete-pending.ts';
import type { FsckFault } from '../../../src/uploads/fsck/faults.ts';
import { fsck } from '../../../src/uploads/fsck/fsck.ts';
import { eraseOwner, removeUploads } from '../../../src/uploads/remove.ts';
import type { UploadServices } from '../../../src/uploads/services.ts';
import { runSweep } from '../../../src/uploads/sweep.ts';
import { pendingKeys } from '../../support/pending-keys.ts';
import { DAY, MINUTE, openTestServices, type TestServices } from '../../support/test-services.ts';

const KEEP = { keepRecords: 365 * DAY };

/** Puts a folder in place of the file of an upload, which no user can unlink. Returns its blob key and its path. */
async function makeUndeletable({ services, folder }: TestServices, id: string) {
  const blob = (await services.ledger.find(id))?.blob ?? '';
  const path = join(folder, 'blobs', blob);
  await rm(path);
  await mkdir(path);
  return { blob, path };
}

async function blobCount({ services }: TestServices): Promise<number> {
  return (await Array.fromAsync(services.blobs.list())).length;
}

const deleteByAdmin = (services: UploadServices, ids: readonly string[]) =>
  removeUploads(services, { ids, reason: 'deleted', detail: '' });

/** One file that cannot be deleted, and others. */
async function openWithStuckFile(t: TestContext) {
  const env = await openTestServices(t);
  const stuck = await env.upload();
  return { env, stuck, ...(await makeUndeletable(env, stuck.id)) };
}

describe('a file that cannot be deleted', () => {
  test('does not fail its removal, and keeps no other file on the disk', async (t) => {
    const { env, stuck, blob } = await openWithStuckFile(t);
    const other = await env.upload();
    assert.equal((await deleteByAdmin(env.services, [stuck.id, other.id])).length, 2);
    assert.equal(await blobCount(env), 0);
    assert.deepEqual(await pendingKeys(env.services.ledger), [blob]);
    const later = await env.upload();
    await deleteByAdmin(env.services, [later.id]);
    assert.equal(await blobCount(env), 0);
  });

  test('does not stop a sweep nor the erasure of its owner', async (t) => {
    const { env, stuck } = await openWithStuckFile(t);
    await env.upload({ jid: 'juliet@example.org' });
    await env.requestSlot({ jid: 'juliet@example.org' });
    await deleteByAdmin(env.services, [stuck.id]);
    await env.upload();
    assert.equal(await eraseOwner(env.services, 'romeo@example.org'), 1);
    env.advance(31 * DAY);
    const report = await runSweep(env.services, KEEP);
    assert.deepEqual([report.expired, report.unused], [1, 1]);
    assert.equal(await blobCount(env), 0);
  });

  test('is tried again after a pause that doubles, and is gone once the cause is removed', async (t) => {
    const { env, stuck, path } = await openWithStuckFile(t);
    const { ledger, clock } = env.services;
    await deleteByAdmin(env.services, [stuck.id]);
    const pauses: number[] = [];
    for (let attempt = 1; attempt <= 12; attempt += 1) {
      const [failed] = await ledger.failedDeletes(9);
      assert.equal(failed?.attempts, attempt);
      assert.match(failed.reason, /EISDIR|EPERM/);
      pauses.push((failed.retryAt - clock()) / MINUTE);
      env.advance(failed.retryAt - clock() - 1);
      assert.deepEqual(await deletePendingBlobs(env.services), { deleted: 0, failed: 0 }, 'not due yet');
      env.advance(1);
      assert.deepEqual(await deletePendingBlobs(env.services), { deleted: 0, failed: 1 });
    }
    assert.deepEqual(pauses, [1, 2, 4, 8, 16, 32, 64, 128, 256, 360, 360, 360]);
    await rm(path, { recursive: true });
    env.advance(DAY);
    assert.deepEqual(await deletePendingBlobs(env.services), { deleted: 1, failed: 0 });
    assert.deepEqual(await pendingKeys(ledger), []);
  });

  test('is counted in a metric', async (t) => {
    const { env, stuck } = await openWithStuckFile(t);
    await deleteByAdmin(env.services, [stuck.id]);
    const metric = await env.services.metrics.registry.getSingleMetricAsString('porter_failed_deletes_total');
    assert.match(metric, /^porter_failed_deletes_total 1$/m);
  });

  test('is a fault for fsck, whose repair tries it at once and says that it remains', async (t) => {
    const { env, stuck, blob, path } = await openWithStuckFile(t);
    await deleteByAdmin(env.services, [stuck.id]);
    const check = async (repair: boolean) => {
      const faults: FsckFault[] = [];
      const { left } = await fsck(env.services, { repair, onFault: (fault) => faults.push(fault) });
      return { left, faults: faults.map((fault) => (fault.kind === 'undeletable' ? fault.blob : fault)) };
    };
    assert.deepEqual(await check(false), { left: 1, faults: [blob] });
    assert.deepEqual(await check(true), { left: 1, faults: [blob] });
    assert.equal((await env.services.ledger.failedDeletes(9))[0]?.attempts, 2);
    await rm(path, { recursive: true });
    assert.deepEqual(await check(true), { left: 0, faults: [] });
  });

  test('does not keep others, even if there are more than one batch of them', async (t) => {
    const env = await openTestServices(t);
    const ids: string[] = [];
    for (let i = 0; i < 520; i += 1) ids.push((await env.upload({ size: 1 })).id);
    const stuck = new Set<string>();
    for (const id of ids.slice(0, 510)) stuck.add((await env.services.ledger.find(id))?.blob ?? '');
    const { blobs } = env.services;
    const remove = async (keys: readonly string[]) => {
      await blobs.remove(keys.filter((key) => !stuck.has(key)));
      return keys
        .filter((key) => stuck.has(key))
        .map((key) => ({ key, error: new BlobError('denied', 'AccessDenied') }));
    };
    const services = { ...env.services, blobs: { ...blobs, remove } };
    await deleteByAdmin(services, ids);
    await deletePendingBlobs(services);
    assert.equal(await blobCount(env), 510);
  });
});

describe('a store that fails as a whole', () => {
  test('does not fail a removal that the ledger has recorded', async (t) => {
    const env = await openTestServices(t);
    const { id } = await env.upload();
    const fail = async () => {
      throw new BlobError('failed', 'The blob store failed: ECONNREFUSED from S3.');
    };
    for (const failing of ['remove', 'readIdentity'] as const) {
      const other = await env.upload();
      const services = { ...env.services, blobs: { ...env.services.blobs, [failing]: fail } };
      assert.equal((await deleteByAdmin(services, [other.id])).length, 1, failing);
    }
    await runSweep({ ...env.services, blobs: { ...env.services.blobs, remove: fail } }, KEEP);
    assert.equal((await pendingKeys(env.services.ledger)).length, 2);
    env.advance(MINUTE);
    await deleteByAdmin(env.services, [id]);
    assert.equal(await blobCount(env), 0);
  });
});
