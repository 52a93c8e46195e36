import assert from 'node:assert/strict';
import { join } from 'node:path';
import { describe, type TestContext, test } from 'node:test';
import { toSlotBlobKey } from '../../../src/base/blob-keys.ts';
import { Refusal } from '../../../src/base/errors.ts';
import { toPutKey } from '../../../src/base/ids.ts';
import { openFsBlobs } from '../../../src/blobs/fs/fs-blobs.ts';
import { publishPendingBlobs } from '../../../src/uploads/blobs/publish.ts';
import { fsck } from '../../../src/uploads/fsck/fsck.ts';
import type { GrantedSlot } from '../../../src/uploads/grant-slot.ts';
import { blobUrl } from '../../../src/uploads/links.ts';
import { receiveUpload } from '../../../src/uploads/receive.ts';
import type { UploadServices } from '../../../src/uploads/services.ts';
import { createTransfers } from '../../../src/uploads/transfers.ts';
import type { UploadBody } from '../../../src/uploads/upload-request.ts';
import { pendingKeys } from '../../support/pending-keys.ts';
import { MINUTE, openTestServices, type TestServices } from '../../support/test-services.ts';

/** A body of two halves. The second one is sent on `resume`; before it `sentFirst` resolves. */
function createPausedBody(fill: string) {
  const sentFirst = Promise.withResolvers<void>();
  const resumed = Promise.withResolvers<void>();
  const body: UploadBody = {
    accept: () => undefined,
    async *batches() {
      yield [Buffer.alloc(50, fill)];
      sentFirst.resolve();
      await resumed.promise;
      yield [Buffer.alloc(50, fill)];
    },
    abort: (reason) => resumed.reject(reason),
    received: 0,
    isComplete: false,
    idleFor: () => 0,
  };
  return { body, sentFirst: sentFirst.promise, resume: resumed.resolve, fail: resumed.reject };
}

function put(services: UploadServices, slot: GrantedSlot, body: UploadBody) {
  const by = { putKey: toPutKey(slot.token) };
  return receiveUpload(services, { by, endpoint: 'component', size: slot.size, type: slot.type, body });
}

async function putAtOnce(services: UploadServices, slot: GrantedSlot, fill: string) {
  const paused = createPausedBody(fill);
  paused.resume();
  return put(services, slot, paused.body);
}

async function storedText(services: UploadServices, slot: GrantedSlot): Promise<string> {
  const row = await services.ledger.find(slot.id);
  assert.equal(row?.state, 'stored');
  const blob = (await services.blobs.open(row.blob)) ?? assert.fail('the stored bytes are gone');
  const bytes = await Array.fromAsync(blob.read(0, blob.size));
  await blob.close();
  return Buffer.concat(bytes).toString();
}

async function assertClean(services: UploadServices): Promise<void> {
  await services.blobDeleter.idle();
  const faults: unknown[] = [];
  await fsck(services, { repair: false, onFault: (fault) => faults.push(fault) });
  assert.deepEqual(faults, []);
  assert.deepEqual(await pendingKeys(services.ledger), []);
}

/** Another process on the same stores. It sends no heartbeats, as if it were frozen. */
const frozen = (services: UploadServices): UploadServices => ({
  ...services,
  instance: 'frozen',
  transfers: createTransfers(),
});

/** Stores a file with a newer attempt, after the process of the older one froze for over a minute in its body. */
async function overtake(env: TestServices) {
  const slot = await env.requestSlot();
  const late = createPausedBody('a');
  const answer = put(frozen(env.services), slot, late.body);
  answer.catch(() => undefined);
  await late.sentFirst;
  env.advance(MINUTE + 1);
  await putAtOnce(env.services, slot, 'b');
  return { slot, late, answer };
}

const modes: [title: string, open: (t: TestContext) => Promise<TestServices>][] = [
  ['on disk', (t) => openTestServices(t)],
  ['in a folder that a web server reads', openForWebServer],
];

async function openForWebServer(t: TestContext): Promise<TestServices> {
  const env = await openTestServices(t);
  env.setRules({ fileUrlBuilder: blobUrl });
  const blobs = openFsBlobs({ root: join(env.folder, 'blobs'), sync: true, atomic: true });
  return { ...env, services: { ...env.services, blobs } };
}

for (const [title, open] of modes) {
  describe(`an acknowledged upload ${title}`, () => {
    test('keeps its bytes when a late attempt completes', async (t) => {
      const env = await open(t);
      const { slot, late, answer } = await overtake(env);
      late.resume();
      await assert.rejects(answer, (error) => error instanceof Refusal && error.code === 'being_uploaded');
      assert.equal(await storedText(env.services, slot), 'b'.repeat(100));
      await assertClean(env.services);
    });

    test('keeps its bytes when a late attempt fails', async (t) => {
      const env = await open(t);
      const { slot, late, answer } = await overtake(env);
      late.fail(new Error('the sender is gone'));
      await assert.rejects(answer, /the sender is gone/);
      assert.equal(await storedText(env.services, slot), 'b'.repeat(100));
      await assertClean(env.services);
    });

    test('keeps its bytes when the commit of the late attempt fails', async (t) => {
      const env = await open(t);
      const slot = await env.requestSlot();
      const late = createPausedBody('a');
      const { ledger } = env.services;
      const broken = { ...ledger, commit: () => Promise.reject(new Error('the connection broke')) };
      const answer = put({ ...frozen(env.services), ledger: broken }, slot, late.body);
      answer.catch(() => undefined);
      await late.sentFirst;
      env.advance(MINUTE + 1);
      await putAtOnce(env.services, slot, 'b');
      late.resume();
      await assert.rejects(answer, /the connection broke/);
      assert.equal(await storedText(env.services, slot), 'b'.repeat(100));
      await assertClean(env.services);
    });

    test('can follow a failed attempt, whose bytes are gone', async (t) => {
      const env = await open(t);
      const slot = await env.requestSlot();
      const first = createPausedBody('a');
      const answer = put(env.services, slot, first.body);
      answer.catch(() => undefined);
      await first.sentFirst;
      first.fail(new Error('the sender is gone'));
      await assert.rejects(answer, /the sender is gone/);
      await putAtOnce(env.services, slot, 'b');
      assert.equal(await storedText(env.services, slot), 'b'.repeat(100));
      await assertClean(env.services);
    });
  });
}

describe('a link that a web server serves', () => {
  /** Stores a file with a process that is killed after the commit, before the file has its public name. */
  async function killBeforePublish(t: TestContext) {
    const env = await openForWebServer(t);
    const slot = await env.requestSlot();
    const publish = () => Promise.reject(new Error('killed'));
    const killed = { ...env.services, blobs: { ...env.services.blobs, publish } };
    await assert.rejects(putAtOnce(killed, slot, 'a'), /killed/);
    assert.equal(await env.services.blobs.size(slot.blob), undefined);
    return { env, slot };
  }

  test('leads to the stored file once the PUT is acknowledged', async (t) => {
    const env = await openForWebServer(t);
    const slot = await env.requestSlot();
    const { upload } = await putAtOnce(env.services, slot, 'a');
    assert.equal(upload.blob, slot.blob);
    assert.equal(toSlotBlobKey(slot.blob), slot.blob);
    assert.equal(await env.services.blobs.size(slot.blob), 100);
  });

  test('works after a start that finishes what a kill interrupted', async (t) => {
    const { env, slot } = await killBeforePublish(t);
    await publishPendingBlobs(env.services);
    assert.equal(await env.services.blobs.size(slot.blob), 100);
    await assertClean(env.services);
  });

  test('works after a PUT that is repeated after a kill', async (t) => {
    const { env, slot } = await killBeforePublish(t);
    const repeated = createPausedBody('a');
    repeated.resume();
    assert.equal((await put(env.services, slot, repeated.body)).repeated, true);
    assert.equal(await env.services.blobs.size(slot.blob), 100);
  });

  test('is not taken for a lost file by fsck --repair after a kill', async (t) => {
    const { env, slot } = await killBeforePublish(t);
    const report = await fsck(env.services, { repair: true, onFault: () => undefined });
    assert.equal(report.faults, 0);
    assert.equal(await storedText(env.services, slot), 'a'.repeat(100));
  });

  test('leads to nothing if the upload is removed before it has the name', async (t) => {
    const env = await openForWebServer(t);
    const slot = await env.requestSlot();
    const { blobs, ledger } = env.services;
    const publish = async (key: string, publicKey: string) => {
      await ledger.remove({ ids: [slot.id], reason: 'deleted', detail: '', now: env.services.clock() });
      await blobs.publish?.(key, publicKey);
    };
    await assert.rejects(putAtOnce({ ...env.services, blobs: { ...blobs, publish } }, slot, 'a'), Refusal);
    assert.equal(await blobs.size(slot.blob), undefined);
    await assertClean(env.services);
  });
});
